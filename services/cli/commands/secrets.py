"""`comptoir secrets`: the files that the processes of `deploy/compose.yaml` are given."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError
from rich.console import Console

from deploy.local.stack.errors import StackError
from services.cli.problems import first_problem
from services.cli.secrets.checking import problems
from services.cli.secrets.folder import SecretFiles
from services.cli.secrets.layout import NAMES, Names
from services.cli.secrets.making import SecretsMaking, read_names
from services.kernel.clock import SystemClock
from services.runtime.privacy import keep_private

secrets = typer.Typer(
    no_args_is_help=True, help="Make, check and renew the folder of secrets that a deployment mounts."
)
_DIFFERS: Final = 1
_DAY_SECONDS: Final = 86_400
_MICROSECONDS: Final = 1_000_000

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder.")]
Days = Annotated[int, typer.Option(min=1, max=825, help="For how many days a new certificate is good.")]
Within = Annotated[
    int, typer.Option("--within-days", min=0, max=825, help="Certificates that end within so many days.")
]


def _said_in_a_sentence(function: Callable[..., None]) -> Callable[..., None]:
    """Returns a command that says in a sentence what the folder's file system refuses."""

    @wraps(function)
    def run(*arguments: Any, **named: Any) -> None:
        # Keys are in memory, and a core dump would be a copy of them on the disk.
        keep_private()
        try:
            function(*arguments, **named)
        except OSError as error:
            what = (error.strerror or "it failed").lower()
            raise StackError(f"{Path(error.filename or '').name or 'the folder'}: {what}.") from None

    return run


@secrets.command("init")
@_said_in_a_sentence
def init(
    folder: Folder,
    *,
    region: Annotated[
        str | None, typer.Option(help="The region in certificates.", show_default="eu-fr")
    ] = None,
    trust_domain: Annotated[
        str | None, typer.Option(help="The domain in certificates.", show_default="comptoir.internal")
    ] = None,
    edge_host: Annotated[
        list[str] | None,
        typer.Option(help="A name that clients call the edge by; may be repeated.", show_default="localhost"),
    ] = None,
    days: Days = 365,
) -> None:
    """Make every secret that is missing, and leave those that are there. Safe to repeat, and after a kill."""
    files = SecretFiles(folder)
    chosen = {"region": region, "trust_domain": trust_domain, "edge_hosts": edge_host or None}
    given = {name: value for name, value in chosen.items() if value is not None}
    before = read_names(files).model_dump(mode="json") if files.read(NAMES) is not None else {}
    try:
        names = Names.model_validate({**before, **given})
    except ValidationError as error:
        raise StackError(first_problem(error, "the names")) from None
    making = SecretsMaking(files, _now_seconds(), days)
    making.init(names)
    _show(making)


@secrets.command("check")
@_said_in_a_sentence
def check(folder: Folder, *, within_days: Within = 30) -> None:
    """Say what is missing, open to others or about to end, and change nothing. Exits with 1 if anything."""
    found = list(problems(SecretFiles(folder), _now_seconds(), within_days * _DAY_SECONDS))
    console = Console(markup=False, emoji=False, soft_wrap=True)
    for sentence in found:
        console.out(sentence, highlight=False)
    if found:
        raise typer.Exit(_DIFFERS)
    console.out("Everything is there, and good for longer.", highlight=False)


@secrets.command("renew")
@_said_in_a_sentence
def renew(folder: Folder, *, within_days: Within = 30, days: Days = 365) -> None:
    """Sign certificates anew that end soon, or whose names differ from names.yaml. Keys stay."""
    making = SecretsMaking(SecretFiles(folder), _now_seconds(), days)
    making.renew(within_days * _DAY_SECONDS)
    _show(making)


def _now_seconds() -> float:
    return SystemClock().wall_microseconds() / _MICROSECONDS


def _show(making: SecretsMaking) -> None:
    console = Console(markup=False, emoji=False, soft_wrap=True)
    for name in making.renewed:
        console.out(f"renewed  {name}", highlight=False)
    made = len(making.made)
    console.out(f"{made} files made." if made else "Nothing was missing.", highlight=False)
