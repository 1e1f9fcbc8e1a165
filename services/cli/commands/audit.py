"""`comptoir audit`: what operators did and were refused, with names from the operator's side."""

import json
import pwd
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
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
from services.cli.adapters.admin import Stub, call_admin, listed
from services.cli.adapters.store import Store
from services.cli.operator_tls import Admin
from services.cli.repeated_acts import commands_of
from services.contract.callers import caller_digest

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_SINCE: Final = re.compile(r"([1-9][0-9]{0,5})([mhd])")
# As many are held, and their names asked for, at a time.
_PAGE_ACTS: Final = 500
_Act = Mapping[str, Any]
_LISTS: Final = {"tenants": admin_pb2.ListTenantsRequest, "keys": admin_pb2.ListKeysRequest}


def audit(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
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
    as_commands: Annotated[
        bool,
        typer.Option("--as-commands", help="Print what does it again after a restore of the keys."),
    ] = False,
) -> None:
    """What operators did and what they were refused, newest first."""
    acts = Store(clickhouse or _store_of(data_dir)).acts(_seconds(since))
    names = _Names(data_dir, admin)
    callers = {caller_digest(name): name for name in caller or ()}
    pages = (
        [_described(act, known, callers) for act in page]
        for page in _pages(acts)
        for known in [names.of(page)]
    )
    console = Console(markup=False, emoji=False)
    if as_json:
        _write_json(pages)
        return
    if as_commands:
        every = [act for page in pages for act in page]
        if names.is_away:
            raise StackError("Commands are for what the router has, and it does not answer: start it first.")
        sys.stdout.writelines(f"{line}\n" for line in commands_of(every))
        return
    has_acts = False
    for described in pages:
        console.print(_table(described, is_first=not has_acts))
        has_acts = True
    if not has_acts:
        console.out(f"There is no act of the last {since} in the store yet.", highlight=False)


def _pages(acts: Iterable[_Act]) -> Iterator[list[_Act]]:
    """Yields acts as they come, so many at a time as are held."""
    rest = iter(acts)
    while page := list(islice(rest, _PAGE_ACTS)):
        yield page


def _write_json(pages: Iterable[list[dict[str, Any]]]) -> None:
    sys.stdout.write('{"acts": [')
    separator = ""
    for page in pages:
        for act in page:
            sys.stdout.write(separator + json.dumps(act, default=str))
            separator = ", "
    sys.stdout.write("]}\n")


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


class _Names:
    """The names of what acts are about; none where the router cannot be asked: numbers say enough."""

    def __init__(self, data_dir: Path, admin: str) -> None:
        self._data_dir = data_dir
        self._admin = admin
        self.is_away = False

    def of(self, acts: Sequence[_Act]) -> dict[tuple[str, int], str]:
        """Returns the names of what some acts are about, by kind and number."""
        names: dict[tuple[str, int], str] = {}
        tenants, keys = _numbers(acts, "tenant"), _numbers(acts, "key")

        async def ask(stub: Stub) -> None:
            for number, tenant in (await _told(stub.ListTenants, tenants, "tenants")).items():
                names["tenant", number] = tenant.name
            for number, key in (await _told(stub.ListKeys, keys, "keys")).items():
                names["key", number] = f"{key.tenant_name} {key.label}".strip()

        try:
            if (tenants or keys) and not self.is_away:
                call_admin(self._data_dir, self._admin, ask)
        except StackError:
            self.is_away = True
        return names


def _numbers(acts: Sequence[_Act], kind: str) -> set[int]:
    return {int(act["subject_number"]) for act in acts if act["subject"] == kind} - {0}


async def _told(method: Callable[..., Awaitable[Any]], numbers: set[int], field: str) -> dict[int, Any]:
    """Returns what a listing has of some numbers."""
    if not numbers:
        return {}
    request = _LISTS[field](numbers=sorted(numbers))
    # A router from before `numbers` lists all.
    return {one.number: one async for one in listed(method, request, field) if one.number in numbers}


def _described(act: _Act, names: Mapping[tuple[str, int], str], callers: Mapping[int, str]) -> dict[str, Any]:
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


def _table(acts: Sequence[Mapping[str, Any]], *, is_first: bool) -> Table:
    table = Table("time (UTC)", "who", "act", "of", "outcome", show_header=is_first)
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
