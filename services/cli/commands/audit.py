"""`comptoir audit`: what operators did and were refused, with names from the operator's side."""

import json
import pwd
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from comptoir.router.v1 import admin_pb2
from rich.console import Console
from rich.table import Table

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_DATA_DIR
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import missing_state, read_state
from services.cli.adapters.admin import CALL_SECONDS, call_admin
from services.cli.adapters.store import Store
from services.cli.operator_tls import Admin
from services.contract.callers import caller_digest

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_SINCE: Final = re.compile(r"([1-9][0-9]{0,5})([mhd])")
# Names of what acts are about, by kind and number.
_Names = Mapping[tuple[str, int], str]


def audit(
    since: Annotated[str, typer.Option(metavar="TIME", help="How far back: 30m, 24h, 7d.")] = "24h",
    caller: Annotated[
        list[str] | None,
        typer.Option(help="A name in a certificate, to be shown where its digest is; repeat for more."),
    ] = None,
    data_dir: Annotated[Path, typer.Option(help="The data folder of a local stack.")] = DEFAULT_DATA_DIR,
    clickhouse: Annotated[
        str, typer.Option(metavar="URL", help="Another store than the local stack's.")
    ] = "",
    admin: Admin = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What operators did and what they were refused, newest first."""
    acts = Store(clickhouse or _store_of(data_dir)).acts(_seconds(since))
    names = _names(data_dir, admin) if acts else {}
    callers = {caller_digest(name): name for name in caller or ()}
    described = [_described(act, names, callers) for act in acts]
    console = Console(markup=False, emoji=False)
    if as_json:
        console.out(json.dumps({"acts": described}, default=str), highlight=False)
    elif described:
        console.print(_table(described))
    else:
        console.out(f"There is no act of the last {since} in the store yet.", highlight=False)


def _store_of(data_dir: Path) -> str:
    paths = DataPaths(data_dir.resolve())
    state = read_state(paths)
    if state is None:
        raise missing_state(paths.root)
    return str(state["clickhouse_url"])


def _seconds(since: str) -> int:
    found = _SINCE.fullmatch(since)
    if found is None:
        raise StackError("--since is a number and m, h or d: 30m, 24h, 7d.")
    return int(timedelta(**{_UNITS[found[2]]: int(found[1])}).total_seconds())


def _names(data_dir: Path, admin: str) -> _Names:
    """Returns the names that the router has; none where it cannot be asked: the numbers say enough."""
    try:
        request = admin_pb2.ListTenantsRequest()
        tenants = call_admin(data_dir, admin, lambda stub: stub.ListTenants(request, timeout=CALL_SECONDS))
        asked = admin_pb2.ListKeysRequest()
        keys = call_admin(data_dir, admin, lambda stub: stub.ListKeys(asked, timeout=CALL_SECONDS))
    except StackError:
        return {}
    names = {("tenant", tenant.number): tenant.name for tenant in tenants.tenants}
    for key in keys.keys:
        names["key", key.number] = f"{key.tenant_name} {key.label}".strip()
    return names


def _described(act: Mapping[str, Any], names: _Names, callers: Mapping[int, str]) -> dict[str, Any]:
    number, subject = int(act["subject_number"]), str(act["subject"])
    return {
        "at": act["at"],
        "caller_kind": act["caller_kind"],
        "caller": int(act["caller"]),
        "caller_name": _caller_name(str(act["caller_kind"]), int(act["caller"]), callers),
        "act": act["act"],
        "subject": subject if number else None,
        "number": number or None,
        "name": names.get((subject, number)),
        "outcome": act["outcome"],
        "reason": act["reason"] or None,
        "requests": int(act["requests"]),
    }


def _caller_name(kind: str, caller: int, callers: Mapping[int, str]) -> str | None:
    if kind != "socket":
        return callers.get(caller)
    try:
        return pwd.getpwuid(caller).pw_name
    except (KeyError, OverflowError):
        return None


def _table(acts: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("time (UTC)", "who", "act", "of", "outcome")
    for act in acts:
        who = act["caller_name"] or (
            str(act["caller"]) if act["caller_kind"] == "socket" else f"{act['caller']:016x}"
        )
        about = f"{act['subject']} {act['number']}" if act["number"] else ""
        outcome = f"{act['outcome']}: {act['reason']}" if act["reason"] else str(act["outcome"])
        table.add_row(
            f"{act['at']:%m-%d %H:%M:%S}",
            who,
            str(act["act"]).replace("_", " "),
            f"{about} ({act['name']})" if act["name"] else about,
            f"{outcome} (x{act['requests']})" if act["requests"] > 1 else outcome,
        )
    return table
