"""Names of tenants, for who holds the secrets of pseudonyms and may ask the router."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from comptoir.router.v1 import admin_pb2

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from services.cli.adapters.admin import Stub, call_admin, listed
from services.contract.pseudonym import SECRET_BYTES, Pseudonyms
from services.runtime.settings import SettingsError, read_secret

_LOCAL_EPOCH: Final = 1
_EPOCH: Final = re.compile(r"[0-9]{1,5}")
NOBODY: Final = "(idle)"


def secret_files(options: list[str], paths: DataPaths) -> dict[int, Path]:
    """Returns the files of `--pseudonyms EPOCH=FILE`, or the local stack's own; StackError for another."""
    if not options:
        own = paths.secrets / "pseudonym-epoch-1"
        return {_LOCAL_EPOCH: own} if own.is_file() else {}
    found: dict[int, Path] = {}
    for option in options:
        epoch, _, file = option.partition("=")
        if not (_EPOCH.fullmatch(epoch) and file):
            raise StackError(
                "--pseudonyms is EPOCH=FILE, as emitter.pseudonym_epoch and its file: 1=secret.hex."
            )
        found[int(epoch)] = Path(file)
    return found


def names_by_pseudonym(tenants: Mapping[int, str], files: Mapping[int, Path]) -> dict[str, str]:
    """Returns the names of tenants by their pseudonyms of each epoch; StackError where a secret is none."""
    names = {}
    for epoch, file in files.items():
        try:
            pseudonyms = Pseudonyms(read_secret(file, length_bytes=SECRET_BYTES), epoch)
        except SettingsError as error:
            raise StackError(f"--pseudonyms {epoch}: {error}") from None
        for number, name in tenants.items():
            high, low = pseudonyms.tenant(number)
            names[f"{high:016x}{low:016x}"] = name
    return names


def tenants_of(data_dir: Path, admin: str) -> dict[int, str]:
    """Returns the router's tenants by number; none where it cannot be asked: pseudonyms say enough."""
    found: dict[int, str] = {}

    async def ask(stub: Stub) -> None:
        async for tenant in listed(stub.ListTenants, admin_pb2.ListTenantsRequest(), "tenants"):
            found[tenant.number] = tenant.name

    try:
        call_admin(data_dir, admin, ask)
    except StackError:
        return {}
    return found


def name_tenants(rows: Iterable[dict[str, Any]], names: Mapping[str, str]) -> None:
    """Adds the name of each row's tenant, None where it is not known."""
    for row in rows:
        tenant = row["group_tenant"]
        row["group_tenant_name"] = NOBODY if not tenant else names.get(tenant)
