"""Makes a router's tenants and keys those that a file declares: first what would change, then the changes."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
from comptoir.router.v1 import admin_pb2

from deploy.local.stack.errors import StackError
from services.cli.adapters.admin import CALL_SECONDS, Stub, listed
from services.cli.declaration import Declaration, DeclaredKey, DeclaredTenant
from services.cli.limits import quota_of
from services.kernel.api_keys import ENTROPY_BYTES, make_key, region_of
from services.kernel.errors import Reason
from services.runtime.grpc.status import error_from
from services.runtime.new_file import new_file

_READ_BY_OTHERS: Final = 0o077
_COMPARED: Final = ("label", "models", "endpoints", "regions", "best_priority", "expires_at_seconds")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that becomes different, and the call that makes it so."""

    sentence: str
    act: Callable[[], Awaitable[object]]


async def catalog_of(stub: Stub) -> admin_pb2.GetCatalogResponse:
    """Returns the catalog that a router runs."""
    return await stub.GetCatalog(admin_pb2.GetCatalogRequest(), timeout=CALL_SECONDS)


async def changes_of(
    stub: Stub, declaration: Declaration, catalog: admin_pb2.GetCatalogResponse
) -> list[Change]:
    """Returns what a router would have to change, in its order; StackError where that cannot be."""
    names = {tenant.name for tenant in declaration.tenants}
    stored = {}
    async for tenant in listed(stub.ListTenants, admin_pb2.ListTenantsRequest(), "tenants"):
        if tenant.name in names:
            stored[tenant.name] = tenant
    _check_names(declaration, catalog)
    changes: list[Change] = []
    for tenant in declaration.tenants:
        known = stored.get(tenant.name)
        changes += _of_tenant(stub, tenant, known)
        # Of which its keys are, whichever region's router is asked.
        home = known.home_region if known else tenant.home_region or catalog.region
        for key in tenant.keys:
            changes += await _of_key(stub, tenant.name, key, home)
    return changes


def _check_names(declaration: Declaration, catalog: admin_pb2.GetCatalogResponse) -> None:
    # Another name of a model would be told by the model's own, and so differ at every run.
    models = {model.name for model in catalog.models}
    regions = {region.name for region in catalog.regions}
    for tenant in declaration.tenants:
        for key in tenant.keys:
            if not (models.issuperset(key.models) and regions.issuperset(key.regions)):
                raise StackError(
                    f"The key in {key.secret_file.name} names a model or region that the router does not "
                    "have; `comptoir models list --json` tells both."
                )


def _of_tenant(stub: Stub, declared: DeclaredTenant, stored: admin_pb2.Tenant | None) -> list[Change]:
    name = declared.name
    changes = []
    quota = None if declared.quota is None else quota_of(declared.quota)
    if stored is None:
        create = admin_pb2.CreateTenantRequest(name=name, home_region=declared.home_region, quota=quota)
        changes.append(_change(f"tenant {name}: created", stub.CreateTenant, create))
    elif declared.home_region not in {"", stored.home_region}:
        raise StackError(f"Tenant {name} has its home in {stored.home_region}, which cannot be changed.")
    elif quota is not None and quota != stored.quota:
        update = admin_pb2.UpdateTenantRequest(name=name, quota=quota)
        changes.append(_change(f"tenant {name}: quota", stub.UpdateTenant, update))
    if declared.is_disabled and not (stored and stored.is_disabled):
        disable = admin_pb2.DisableTenantRequest(name=name)
        changes.append(_change(f"tenant {name}: disabled", stub.DisableTenant, disable))
    elif stored and stored.is_disabled and not declared.is_disabled:
        enable = admin_pb2.EnableTenantRequest(name=name)
        changes.append(_change(f"tenant {name}: enabled", stub.EnableTenant, enable))
    return changes


async def _of_key(stub: Stub, tenant: str, declared: DeclaredKey, region: str) -> list[Change]:
    secret, name = _secret_in(declared), declared.secret_file.name
    if secret is not None and region_of(secret) != region:
        raise StackError(f"{name} holds no key of region {region}, which is the home of {tenant}.")
    stored = None if secret is None else await _stored(stub, secret)
    if stored is None:
        return [Change(f"key {name} of {tenant}: created", lambda: _create(stub, tenant, declared, region))]
    if stored.tenant_name != tenant:
        raise StackError(f"The key in {name} is one of tenant {stored.tenant_name}, not of {tenant}.")
    if stored.revoked_at_seconds:
        raise StackError(f"The key in {name} is revoked, for ever; remove the file, or name another.")
    request, wanted = admin_pb2.UpdateKeyRequest(number=stored.number), declared.message(stored.quota)
    differing = _differing(stored, wanted, request)
    changes = []
    if differing:
        said = f"key {name} of {tenant}: {', '.join(differing)}"
        changes.append(_change(said, stub.UpdateKey, request))
    if wanted.is_disabled and not stored.is_disabled:
        disable = admin_pb2.DisableKeyRequest(number=stored.number)
        changes.append(_change(f"key {name} of {tenant}: disabled", stub.DisableKey, disable))
    elif stored.is_disabled and not wanted.is_disabled:
        enable = admin_pb2.EnableKeyRequest(number=stored.number)
        changes.append(_change(f"key {name} of {tenant}: enabled", stub.EnableKey, enable))
    return changes


def _differing(
    stored: admin_pb2.Key, wanted: admin_pb2.Key, request: admin_pb2.UpdateKeyRequest
) -> list[str]:
    """Returns the names of what differs, and asks for it in the request."""
    differing = [name for name in _COMPARED if getattr(stored, name) != getattr(wanted, name)]
    for name in differing:
        value = getattr(wanted, name)
        if name in {"models", "regions"}:
            getattr(request, name).SetInParent()
            getattr(request, name).names.extend(value)
        elif name == "endpoints":
            request.endpoints.SetInParent()
            request.endpoints.endpoints.extend(value)
        else:
            setattr(request, name, value)
    if wanted.HasField("quota") and wanted.quota != stored.quota:
        request.quota.CopyFrom(wanted.quota)
        request.quota.SetInParent()
        differing.append("quota")
    return differing


async def _create(stub: Stub, tenant: str, declared: DeclaredKey, region: str) -> None:
    wanted = declared.message()
    # The file first: where this ends before the router knows the key, the next run gives it the same one.
    secret = _secret_in(declared) or _made_secret(declared.secret_file, region)
    request = admin_pb2.CreateKeyRequest(
        tenant=tenant,
        label=wanted.label,
        models=wanted.models,
        endpoints=wanted.endpoints,
        regions=wanted.regions,
        quota=wanted.quota if wanted.HasField("quota") else None,
        expires_at_seconds=wanted.expires_at_seconds,
        best_priority=wanted.best_priority,
        api_key=secret,
        defaults_for_unset=declared.defaults_for_unset,
    )
    created = await stub.CreateKey(request, timeout=CALL_SECONDS)
    if wanted.is_disabled:
        disable = admin_pb2.DisableKeyRequest(number=created.key.number)
        await stub.DisableKey(disable, timeout=CALL_SECONDS)


async def _stored(stub: Stub, secret: str) -> admin_pb2.Key | None:
    try:
        answer = await stub.GetKey(admin_pb2.GetKeyRequest(api_key=secret), timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError as failure:
        if error_from(failure).reason is not Reason.NOT_FOUND:
            raise
        return None
    return answer.key


def _secret_in(declared: DeclaredKey) -> str | None:
    """Returns the secret in a key's file, or None where it is to be made."""
    file = declared.secret_file
    try:
        if file.stat().st_mode & _READ_BY_OTHERS:
            raise StackError(f"{file.name} can be read by others; chmod 600 makes it your own.")
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        if declared.create_secret:
            return None
        raise StackError(f"There is no {file.name}; create_secret: true makes it.") from None
    except (OSError, ValueError):
        raise StackError(f"{file.name} cannot be read as a key.") from None


def _made_secret(file: Path, region: str) -> str:
    try:
        with new_file(file) as aside:
            aside.write_text(make_key(region, secrets.token_bytes(ENTROPY_BYTES)) + "\n", encoding="ascii")
        return file.read_text(encoding="ascii").strip()
    except OSError:
        raise StackError(f"{file.name} cannot be written.") from None


def _change(sentence: str, rpc: Callable[..., Awaitable[Any]], request: Any) -> Change:
    return Change(sentence, lambda: rpc(request, timeout=CALL_SECONDS))
