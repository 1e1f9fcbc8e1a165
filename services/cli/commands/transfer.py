"""`comptoir transfer`: records that let a region outside the European Union serve, made by two people."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError
from rich.console import Console

from deploy.local.stack.errors import StackError
from services.cli.problems import first_problem
from services.cli.transfer_files import TransferFiles
from services.contract.transfer import MAX_NUMBER, Mechanism, TransferRecord
from services.runtime.transfers.folder import Entry, State

transfer = typer.Typer(
    no_args_is_help=True, help="Ask for, approve, list and revoke records of transfers outside the EU."
)

Config = Annotated[
    Path, typer.Option(metavar="FILE", help="The settings file, whose `transfers` and catalog are used.")
]
Key = Annotated[Path, typer.Option(metavar="FILE", help="Your private key: Ed25519, in PEM form.")]
Number = Annotated[int, typer.Argument(min=1, max=MAX_NUMBER, help="The record's number.")]
Moment = Annotated[datetime, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="In UTC.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_PIECE_BYTES: Final = 1 << 20


@transfer.command("request")
def request(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    config: Config,
    key: Key,
    region: Annotated[str, typer.Option(help="The region that is to serve, outside the EU.")],
    home: Annotated[list[str], typer.Option(help="The region whose keys it is to serve; repeat for more.")],
    importer: Annotated[str, typer.Option(help="The legal name of who runs that region.")],
    mechanism: Annotated[Mechanism, typer.Option(help="By which the transfer is lawful.")],
    assessment: Annotated[Path, typer.Option(metavar="FILE", help="The assessment; its digest is kept.")],
    until: Moment,
    from_: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="In UTC; now if left out."),
    ] = None,
) -> None:
    """Sign a record and leave it to be approved by somebody else. Prints its number."""
    files = TransferFiles.of(config)
    abroad = files.region_abroad(region)
    fields = {
        "number": files.free_number(),
        "region": region,
        "home_regions": home,
        "importer": importer,
        "mechanism": mechanism,
        "assessment_sha256": _digest_of(assessment),
        "from_seconds": _seconds(from_) if from_ else _now_seconds(),
        "until_seconds": _seconds(until),
    }
    try:
        record = TransferRecord.model_validate(fields)
    except ValidationError as error:
        raise StackError(first_problem(error, "the record")) from None
    name = files.request(record, key)
    Console().out(str(record.number), highlight=False)
    where = f"{region} ({abroad.jurisdiction})" if abroad.jurisdiction else region
    Console(stderr=True).out(f"{name} asks for record {record.number}, to {where}: it takes a second person.")


@transfer.command("approve")
def approve(number: Number, config: Config, key: Key) -> None:
    """Sign a record that somebody else asked for: it is in force from its first second on."""
    entry = TransferFiles.of(config).approve(number, key)
    if entry.state is not State.APPROVED:
        raise StackError("The record is still not approved: both signatures are needed.")
    Console().out(f"Record {number}: {entry.requester} asked, {entry.approver} approved.", highlight=False)


@transfer.command("revoke")
def revoke(number: Number, config: Config, key: Key) -> None:
    """End a record, for good; either person may."""
    name = TransferFiles.of(config).revoke(number, _now_seconds(), key)
    Console().out(f"Record {number} is revoked by {name}.", highlight=False)


@transfer.command("list")
def list_records(config: Config, as_json: AsJson = False) -> None:
    """List all records, with their state at this moment."""
    entries = TransferFiles.of(config).entries().values()
    rows = [_row(entry, _now_seconds()) for entry in entries]
    if as_json:
        Console().out(json.dumps({"records": rows}), highlight=False)
        return
    for row in rows:
        for line in _lines(row):
            Console().out(line, highlight=False)


def _lines(row: dict[str, Any]) -> Iterator[str]:
    yield f"{row['number']}  {row['state']}"
    if row["region"]:
        yield f"   {row['region']} for {', '.join(row['home_regions'])}, by {row['mechanism']}"
        yield f"   importer {row['importer']}"
        yield f"   {row['from']} to {row['until']}"
    yield f"   asked by {row['requester'] or 'nobody'}, approved by {row['approver'] or 'nobody'}"


def _row(entry: Entry, now_seconds: float) -> dict[str, Any]:
    row: dict[str, Any] = {
        "number": entry.number,
        "requester": entry.requester,
        "approver": entry.approver,
        "state": _state(entry, now_seconds),
    }
    if (record := entry.record) is None:
        return row | dict.fromkeys(("region", "home_regions", "mechanism", "importer", "from", "until"), "")
    return row | {
        "region": record.region,
        "home_regions": list(record.home_regions),
        "mechanism": record.mechanism.value,
        "importer": record.importer,
        "assessment_sha256": record.assessment_sha256,
        "from": _moment(record.from_seconds),
        "until": _moment(record.until_seconds),
    }


def _state(entry: Entry, now_seconds: float) -> str:
    if entry.state is not State.APPROVED or entry.record is None:
        return entry.state.value
    if entry.record.is_in_force(now_seconds):
        return "in force"
    return "expired" if now_seconds >= entry.record.until_seconds else "not yet"


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
    except OSError:
        raise StackError("The assessment cannot be read.") from None
    return digest.hexdigest()


def _now_seconds() -> int:
    return int(datetime.now(UTC).timestamp())


def _seconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp())


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
