"""`comptoir keys` and `comptoir tenants`: administration over the router's admin service."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from comptoir.router.v1 import admin_pb2, router_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table

from deploy.local.stack.options import DEFAULT_DATA_DIR
from services.cli.adapters.admin import CALL_SECONDS, Stub, call_admin
from services.kernel.errors import Reason

keys = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")
tenants = typer.Typer(no_args_is_help=True, help="Create and list tenants.")

DataDir = Annotated[Path, typer.Option(help="The data folder of a local stack.")]
Admin = Annotated[
    str, typer.Option(metavar="ADDRESS", help="The admin service, unix:/path, of another router.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

# What the router's messages can hold, and a century.
_MOST: Final = 2**32 - 1
_MOST_DAYS: Final = 36_500
_SENTENCES: Final = {
    Reason.ALREADY_EXISTS: "That name is taken; choose another.",
    Reason.NOT_FOUND: "There is no such tenant, key or model; `comptoir tenants list` lists tenants.",
    Reason.REQUEST_INVALID: "The router does not accept that {field}; use lower-case letters, digits, -.",
}


class PriorityClass(Enum):
    """A scheduling class, as the command line spells it."""

    INTERACTIVE = "interactive"
    DEFAULT = "default"
    BATCH = "batch"


@keys.command("create")
def create_key(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    tenant: Annotated[str, typer.Option(help="Name of the tenant.")] = "local",
    label: Annotated[str, typer.Option(help="A note for people.")] = "",
    model: Annotated[
        list[str] | None, typer.Option(help="A model it may use; repeat for more. All if left out.")
    ] = None,
    requests_per_minute: Annotated[int, typer.Option(min=0, max=_MOST, help="0 means no limit.")] = 0,
    tokens_per_minute: Annotated[int, typer.Option(min=0, max=_MOST, help="0 means no limit.")] = 0,
    concurrency: Annotated[
        int, typer.Option(min=0, max=_MOST, help="Requests in flight; 0 means no limit.")
    ] = 0,
    expires_in_days: Annotated[int, typer.Option(min=0, max=_MOST_DAYS, help="0 means never.")] = 0,
    priority: Annotated[
        PriorityClass, typer.Option(help="The best scheduling class that it may claim.")
    ] = PriorityClass.DEFAULT,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """Create a key and show it, once."""
    expiry = datetime.now(UTC) + timedelta(days=expires_in_days)
    request = admin_pb2.CreateKeyRequest(
        tenant=tenant,
        label=label,
        models=model or [],
        expires_at_seconds=int(expiry.timestamp()) if expires_in_days else 0,
        best_priority=router_pb2.Priority.Value(f"PRIORITY_{priority.name}"),
    )
    limits = (requests_per_minute, tokens_per_minute, concurrency)
    if any(limits):
        request.quota.requests_per_minute, request.quota.tokens_per_minute, request.quota.concurrency = limits
    answer = _call(data_dir, admin, lambda stub: stub.CreateKey(request, timeout=CALL_SECONDS))
    if as_json:
        _print_json(answer)
        return
    console = Console()
    console.out(answer.api_key, highlight=False)
    Console(stderr=True).out(
        f"Key {answer.key.number} of tenant {answer.key.tenant_name}. It is shown only now."
    )


@keys.command("list")
def list_keys(
    tenant: Annotated[str, typer.Option(help="Only this tenant's.")] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """List keys without their secrets."""
    request = admin_pb2.ListKeysRequest(tenant=tenant)
    answer = _call(data_dir, admin, lambda stub: stub.ListKeys(request, timeout=CALL_SECONDS))
    if as_json:
        _print_json(answer)
        return
    table = Table(
        "number",
        "tenant",
        "label",
        "models",
        "requests/min",
        "tokens/min",
        "concurrency",
        "priority",
        "expires",
        "state",
    )
    for key in answer.keys:
        quota = (key.quota.requests_per_minute, key.quota.tokens_per_minute, key.quota.concurrency)
        limits = [str(limit) if limit else "-" for limit in quota]
        state = "revoked" if key.revoked_at_seconds else "active"
        expires = _day(key.expires_at_seconds)
        models = ", ".join(key.models) or "all"
        priority = router_pb2.Priority.Name(key.best_priority).removeprefix("PRIORITY_").lower()
        table.add_row(str(key.number), key.tenant_name, key.label, models, *limits, priority, expires, state)
    Console(markup=False, emoji=False).print(table)


@keys.command("revoke")
def revoke_key(
    number: Annotated[
        int, typer.Argument(min=1, max=_MOST, help="The key's number, from `comptoir keys list`.")
    ],
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """Refuse a key from now on. Safe to repeat."""
    request = admin_pb2.RevokeKeyRequest(number=number)
    answer = _call(data_dir, admin, lambda stub: stub.RevokeKey(request, timeout=CALL_SECONDS))
    if as_json:
        _print_json(answer)
        return
    Console().out(f"Key {answer.key.number} of tenant {answer.key.tenant_name} is revoked.")


@tenants.command("create")
def create_tenant(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.")],
    home_region: Annotated[str, typer.Option(help="The router's own region if left out.")] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    as_json: AsJson = False,
) -> None:
    """Create a tenant."""
    request = admin_pb2.CreateTenantRequest(name=name, home_region=home_region)
    answer = _call(data_dir, admin, lambda stub: stub.CreateTenant(request, timeout=CALL_SECONDS))
    if as_json:
        _print_json(answer)
        return
    Console().out(
        f"Tenant {answer.tenant.name} has number {answer.tenant.number}, home {answer.tenant.home_region}."
    )


@tenants.command("list")
def list_tenants(data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False) -> None:
    """List tenants."""
    request = admin_pb2.ListTenantsRequest()
    answer = _call(data_dir, admin, lambda stub: stub.ListTenants(request, timeout=CALL_SECONDS))
    if as_json:
        _print_json(answer)
        return
    table = Table("number", "name", "home region", "created", "state")
    for tenant in answer.tenants:
        state = "disabled" if tenant.is_disabled else "active"
        table.add_row(
            str(tenant.number), tenant.name, tenant.home_region, _day(tenant.created_at_seconds), state
        )
    Console(markup=False, emoji=False).print(table)


def _call(data_dir: Path, admin: str, method: Callable[[Stub], Awaitable[Any]]) -> Any:  # its own answer
    return call_admin(data_dir, admin, method, _SENTENCES)


def _print_json(message: Message) -> None:
    content = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    Console().out(json.dumps(content), highlight=False)


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds else "never"
