"""`comptoir secrets`: the files that the processes of `deploy/compose.yaml` are given."""

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError
from rich.console import Console

from deploy.local.stack.errors import StackError
from services.cli.administering import AsJson
from services.cli.doctor.finding import Level
from services.cli.findings_view import told
from services.cli.problems import first_problem
from services.cli.secrets.checking import findings
from services.cli.secrets.folder import SecretFiles
from services.cli.secrets.layout import NAMES, Names
from services.cli.secrets.making import SecretsMaking, read_names
from services.cli.secrets.rotation import AuthorityRotation
from services.cli.secrets.signing import NEXT_AUTHORITY
from services.kernel.clock import SystemClock
from services.runtime.privacy import keep_private

secrets = typer.Typer(
    no_args_is_help=True, help="Make, check and renew the folder of secrets that a deployment mounts."
)
authority = typer.Typer(
    no_args_is_help=True, help="Put another authority in the present one's place, in three steps."
)
secrets.add_typer(authority, name="authority")
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
def check(folder: Folder, *, within_days: Within = 30, as_json: AsJson = False) -> None:
    """Say of each file what is wrong and what to do, and change nothing. Exits with 1 if anything is wrong.

    What is to be known alone, as an authority that ends within the year, changes no exit status.
    """
    found = list(findings(SecretFiles(folder), _now_seconds(), within_days * _DAY_SECONDS))
    console = Console(markup=False, emoji=False, soft_wrap=True)
    is_well = not any(one.level is Level.FAIL for one in found)
    if as_json:
        console.out(json.dumps(told(found)), highlight=False)
    else:
        for one in found:
            console.out(
                f"{one.level.value:<5}{one.subject}: {one.sentence} → {one.next_step}", highlight=False
            )
        if is_well:
            console.out("Everything is there, and good for longer.", highlight=False)
    if not is_well:
        raise typer.Exit(_DIFFERS)


@secrets.command("renew")
@_said_in_a_sentence
def renew(
    folder: Folder,
    *,
    within_days: Within = 30,
    days: Days = 365,
    until_authority_ends: Annotated[
        bool,
        typer.Option("--until-authority-ends", help="Also where the authority itself ends within that time."),
    ] = False,
) -> None:
    """Sign certificates anew that end soon, or are not what names.yaml says. Keys stay.

    None outlives the authority; refused where that ends within the same time.
    """
    making = SecretsMaking(SecretFiles(folder), _now_seconds(), days)
    making.renew(within_days * _DAY_SECONDS, until_authority_ends=until_authority_ends)
    _show(making)


@authority.command("add")
@_said_in_a_sentence
def add_authority(folder: Folder) -> None:
    """Make another authority, which everybody believes beside the present one. The first of three steps."""
    _rotate(folder, 365, AuthorityRotation.add)
    _say_next("authority use")


@authority.command("use")
@_said_in_a_sentence
def use_authority(folder: Folder, *, days: Days = 365) -> None:
    """Have every certificate signed by the new authority, once all have read what `add` wrote."""
    _rotate(folder, days, AuthorityRotation.use)
    _say_next("authority retire")


@authority.command("retire")
@_said_in_a_sentence
def retire_authority(folder: Folder) -> None:
    """Have nobody believe the former authority, once all have read what `use` wrote."""
    _rotate(folder, 365, AuthorityRotation.retire)


def _rotate(folder: Path, days: int, step: Callable[[AuthorityRotation], None]) -> None:
    making = SecretsMaking(SecretFiles(folder), _now_seconds(), days)
    step(AuthorityRotation(making))
    _show(making)


def _say_next(command: str) -> None:
    Console(stderr=True, soft_wrap=True).out(
        f"Next, once every process has read its files again: `comptoir secrets {command}`.", highlight=False
    )


def _now_seconds() -> float:
    return SystemClock().wall_microseconds() / _MICROSECONDS


def _show(making: SecretsMaking) -> None:
    console = Console(markup=False, emoji=False, soft_wrap=True)
    for name in making.renewed:
        console.out(f"renewed  {name}", highlight=False)
    if making.is_cut_short:
        Console(stderr=True, soft_wrap=True).out(
            f"Certificates end with their authority, sooner than was asked: {NEXT_AUTHORITY}.",
            highlight=False,
        )
    made = len(making.made)
    console.out(f"{made} files made." if made else "Nothing was missing.", highlight=False)
