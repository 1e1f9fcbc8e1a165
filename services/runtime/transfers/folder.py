"""A folder of transfer records as it is now: which of them are good, and what is wrong with the others."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from services.contract.transfer import RECORD_TYPE, TransferRecord, record_from, two_people
from services.runtime.transfers.envelope import MAX_BYTES, Envelope, EnvelopeError
from services.runtime.transfers.people import People

_NAME: Final = re.compile(r"transfer-([1-9][0-9]{0,9})(\.revoked)?\.json")
# More records than any deployment needs: a folder of more is somebody's mistake.
MAX_FILES: Final = 2_048


class State(StrEnum):
    """What a record is good for, apart from its time."""

    APPROVED = "approved"
    REQUESTED = "requested"
    REVOKED = "revoked"
    UNREADABLE = "unreadable"
    UNSIGNED = "unsigned"


@dataclass(frozen=True, slots=True)
class Entry:
    """One number in the folder; without a record where its file holds none."""

    number: int
    state: State
    record: TransferRecord | None = None
    requester: str = ""
    approver: str = ""


def record_file(folder: Path, number: int) -> Path:
    """Returns where the record of a number is, asked for or approved."""
    return folder / f"transfer-{number}.json"


def revocation_file(folder: Path, number: int) -> Path:
    """Returns where its revocation is: that the file exists ends the record, whatever it holds."""
    return folder / f"transfer-{number}.revoked.json"


def states_of(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    """Returns what shows a change of each of the folder's files; OSError where it cannot be read."""
    states = {}
    for path in folder.iterdir():
        if _NAME.fullmatch(path.name):
            found = path.stat()
            states[path.name] = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
    if len(states) > MAX_FILES:
        raise OSError("more transfer records than a folder may hold")
    return states


def read_folder(folder: Path, people: People) -> dict[int, Entry]:
    """Returns every number that the folder knows; OSError where it cannot be read."""
    names = states_of(folder)
    revoked = {int(match[1]) for match in map(_NAME.fullmatch, names) if match and match[2]}
    recorded = {int(match[1]) for match in map(_NAME.fullmatch, names) if match and not match[2]}
    entries = {number: _entry(folder, number, people) for number in sorted(recorded | revoked)}
    for number in revoked:
        known = entries[number]
        entries[number] = Entry(number, State.REVOKED, known.record, known.requester, known.approver)
    return entries


def read_envelope(path: Path) -> Envelope | None:
    """Returns the envelope of a file; None where it holds none."""
    try:
        with path.open("rb") as file:
            return Envelope.from_json(file.read(MAX_BYTES + 1))
    except (OSError, EnvelopeError):
        return None


def _entry(folder: Path, number: int, people: People) -> Entry:
    envelope = read_envelope(record_file(folder, number))
    record = record_from(envelope.payload) if envelope and envelope.payload_type == RECORD_TYPE else None
    # A record under another's number would come back when that one is revoked.
    if envelope is None or record is None or record.number != number:
        return Entry(number, State.UNREADABLE)
    requesters = envelope.signers(people.requesters)
    approvers = envelope.signers(people.approvers)
    if pair := two_people(requesters, approvers):
        return Entry(number, State.APPROVED, record, *pair)
    return Entry(number, State.REQUESTED if requesters else State.UNSIGNED, record, _first(requesters))


def _first(people: Mapping[str, bytes]) -> str:
    return min(people, default="")
