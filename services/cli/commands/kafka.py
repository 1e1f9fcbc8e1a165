"""`comptoir kafka`: topics and rights of a Kafka cluster, declared in a file, made and looked after."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import yaml
from rich.console import Console
from rich.table import Column, Table

from deploy.kafka.declaration import (
    DECLARATION_FILE,
    DeclarationError,
    KafkaDeclaration,
    read_declaration,
)
from deploy.local.stack.errors import StackError
from services.cli.kafka.making import Making
from services.cli.kafka.plan import Cure, Deviation, deviations_of
from services.cli.kafka.reach import scram_user, with_target
from services.contract.events import (
    DEAD_LETTER_TOPIC,
    KIND_OF_TOPIC,
    RETENTION_MAX_DAYS,
    RETENTION_MIN_DAYS,
)
from services.runtime.kafka_target import KafkaTarget
from services.runtime.settings_error import SettingsError

kafka = typer.Typer(
    no_args_is_help=True, help="Declare topics and rights in Kafka, apply them, and check them."
)
_DIFFERS: Final = 1

File = Annotated[
    Path,
    typer.Option(
        "--file", "-f", help="YAML that declares topics and roles.", show_default="deploy/kafka/topics.yaml"
    ),
]
Settings = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The processes' settings, whose usage.retention_days counts."),
]
RetentionDays = Annotated[
    int | None,
    typer.Option(
        min=RETENTION_MIN_DAYS,
        max=RETENTION_MAX_DAYS,
        help="For how many days the store keeps events, in place of --settings.",
        show_default=f"{RETENTION_MIN_DAYS}, the shortest",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@kafka.command("apply")
@with_target
def apply(  # noqa: PLR0913 - one argument per option of the command line
    *,
    target: KafkaTarget,
    file: File = DECLARATION_FILE,
    settings: Settings = None,
    retention_days: RetentionDays = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, alone.")] = False,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Also take away what declared principals may beyond their role.")
    ] = False,
    allow_shorter_retention: Annotated[
        bool, typer.Option("--allow-shorter-retention", help="Also let Kafka delete records earlier.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make topics and rights those that are declared, and print what changed. Safe to repeat.

    No topic, partition, record or right goes away unless an option says so. Exits with 1 where something is
    left that takes one, or a person.
    """
    declaration = _declaration(file, settings, retention_days)
    cluster = _cluster(target)
    allowed = {Cure.REVOKE: revoke, Cure.SHORTEN: allow_shorter_retention}
    making = Making(frozenset(cure for cure, is_allowed in allowed.items() if is_allowed))
    deviations = deviations_of(declaration, cluster.found(declaration.prefix))
    try:
        making.make(deviations, None if dry_run else cluster)
    except StackError:
        # What was changed is said first.
        if making.changed:
            _show(making, as_json, is_dry_run=dry_run)
        raise
    _show(making, as_json, is_dry_run=dry_run)
    if making.left:
        raise typer.Exit(_DIFFERS)


@kafka.command("check")
@with_target
def check(
    *,
    target: KafkaTarget,
    file: File = DECLARATION_FILE,
    settings: Settings = None,
    retention_days: RetentionDays = None,
    as_json: AsJson = False,
) -> None:
    """Say where topics and rights are not as declared, and change nothing. Exits with 1 if anywhere."""
    declaration = _declaration(file, settings, retention_days)
    deviations = deviations_of(declaration, _cluster(target).found(declaration.prefix))
    console = Console(markup=False, emoji=False)
    if as_json:
        console.out(json.dumps({"deviations": list(map(_content, deviations))}), highlight=False)
    elif deviations:
        console.print(_table(deviations))
    else:
        console.out("Topics and rights are as declared.", highlight=False)
    if deviations:
        raise typer.Exit(_DIFFERS)


@kafka.command("password")
@with_target
def password(
    *,
    target: KafkaTarget,
    name: Annotated[str, typer.Argument(help="A user of SCRAM; made if there is none.")],
    new_password_file: Annotated[Path, typer.Option(metavar="FILE", help="File with its new password.")],
    new_mechanism: Annotated[str, typer.Option(help="What it proves it by.")] = "SCRAM-SHA-512",
) -> None:
    """Give a user the password in a file: it stands in no command line and in no log."""
    theirs = scram_user(name, new_password_file, new_mechanism)
    if theirs is None:
        raise StackError("A user has a name.")
    try:
        secret = theirs.password()
    except SettingsError as error:
        raise StackError(str(error)) from None
    _cluster(target).set_password(theirs.user, secret, theirs.mechanism)
    Console().out(f"{theirs.user} has its new password.", highlight=False)


def _cluster(target: KafkaTarget) -> Any:
    from services.cli.adapters.kafka_cluster import KafkaCluster  # noqa: PLC0415 - no other command needs librdkafka

    try:
        return KafkaCluster(target)
    except SettingsError as error:
        raise StackError(str(error)) from None


def _declaration(file: Path, settings: Path | None, retention_days: int | None) -> KafkaDeclaration:
    try:
        declaration = read_declaration(file)
        declaration.check_topics({*KIND_OF_TOPIC, DEAD_LETTER_TOPIC})
        # The shortest that a store may keep: what is below it is below every other.
        declaration.check_retention(retention_days or _days_in(settings) or RETENTION_MIN_DAYS)
    except DeclarationError as error:
        raise StackError(str(error)) from None
    return declaration


def _days_in(settings: Path | None) -> int | None:
    """Returns `usage.retention_days` of a settings file, by its default where it says nothing."""
    if settings is None:
        return None
    try:
        days = (yaml.safe_load(settings.read_text(encoding="utf-8")).get("usage") or {}).get("retention_days")
    except (OSError, yaml.YAMLError, ValueError, AttributeError):
        raise StackError(f"{settings.name} cannot be read as settings.") from None
    if days is None:
        return RETENTION_MAX_DAYS
    if not isinstance(days, int) or not RETENTION_MIN_DAYS <= days <= RETENTION_MAX_DAYS:
        raise StackError(
            f"{settings.name}: usage.retention_days must be {RETENTION_MIN_DAYS} to {RETENTION_MAX_DAYS}."
        )
    return days


def _show(making: Making, as_json: bool, *, is_dry_run: bool) -> None:
    console = Console(markup=False, emoji=False)
    if as_json:
        content = {"changes": making.changed, "left": making.left, "is_dry_run": is_dry_run}
        console.out(json.dumps(content), highlight=False)
        return
    for sentence in making.changed:
        console.out(f"{'would change' if is_dry_run else 'changed'}  {sentence}", highlight=False)
    for sentence in making.left:
        console.out(f"left  {sentence}", highlight=False)
    if not making.changed and not making.left:
        console.out("Nothing to change.", highlight=False)


def _content(deviation: Deviation) -> dict[str, str]:
    return {
        "what": deviation.subject,
        "found": deviation.found,
        "declared": deviation.declared,
        "cure": deviation.advice or f"comptoir kafka apply: {deviation.cure.value}",
    }


def _table(deviations: list[Deviation]) -> Table:
    # Folded: on a narrow terminal, or in a pipe, two topics would be shortened to the same.
    table = Table(*(Column(name, overflow="fold") for name in ("what", "found", "declared", "cure")))
    for deviation in deviations:
        table.add_row(*_content(deviation).values())
    return table
