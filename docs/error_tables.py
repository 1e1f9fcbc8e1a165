"""Writes what a caller is told of every reason, from its row, the schema's comment and the edge's words."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from services.edge.domain.openai.errors import HTTP_ERRORS, error_json
from services.kernel.errors import ComptoirError, Numbers
from services.kernel.reasons import Reason
from services.kernel.rows import Retry, Row

_SCHEMA: Final = Path(__file__).resolve().parents[1] / "protos/comptoir/error/v1/error_reason.proto"
_VALUE: Final = re.compile(r"((?:^  //.*\n)+)  ERROR_REASON_(\w+) = \d+;", re.MULTILINE)
_AGAIN: Final = {
    Retry.NEVER: "",
    Retry.NEW_TICKET: "with a new ticket",
    Retry.LATER: "yes",
}
# Has numbers where a request finds no room in the KV caches, and none where it finds no place.
_SELDOM_OF_NUMBERS: Final = frozenset({Reason.REPLICA_OVERLOADED})
# What the messages with numbers are shown for.
_NUMBERS: Final = Numbers(limit=4096, requested=5000, available=1000)
_OF_A_BUDGET: Final = replace(_NUMBERS, resets_at_seconds=1_798_761_600, currency="EUR")
_WAIT_SECONDS: Final = 1.5
_OF_A_FIELD: Final = {Reason.REQUEST_INVALID: "temperature", Reason.PARAMETER_UNSUPPORTED: "modalities"}


def overview() -> Iterator[str]:
    """Yields the table of the reasons, a row each."""
    yield "| Reason | gRPC status | Same call later | Next ticket | Over HTTP |"
    yield "|---|---|---|---|---|"
    for reason in told():
        yield f"| [`{reason.name}`](#{reason.name.lower()}) | {_faces(reason.row)} |"


def entries() -> Iterator[str]:
    """Yields a section per reason: when it is given, what is said of it and what its caller does next."""
    for reason in told():
        row = reason.row
        yield from ("", f"### {reason.name}", "")
        yield f"{row.http_status} `{row.code}` · `{row.grpc_status}` · {when(reason)}"
        said = message(reason)
        yield from ("", f"> {row.what if said == row.sentence else said}", "")
        yield f"**Next:** {row.next_step}{_tries(row)}"
    yield ""


def of_http() -> Iterator[str]:
    """Yields the table of refusals that only HTTP knows; their bounds are settings."""
    yield "| Status | `code` | What is said, where 0 stands for the setting |"
    yield "|---|---|---|"
    for error in HTTP_ERRORS:
        yield f"| {error.status} | `{error.code}` | {error.message} |"


def told() -> list[Reason]:
    """Returns the reasons that are sent."""
    return [reason for reason in Reason if reason]


def when(reason: Reason) -> str:
    """Returns when a reason is given, as the schema says it."""
    return _comments()[reason.name]


def message(reason: Reason) -> str:
    """Returns the message of a chat refused for a reason, with the field or the numbers of an example."""
    if reason in _OF_A_FIELD:
        error = ComptoirError(reason, field=_OF_A_FIELD[reason])
    elif reason in _SELDOM_OF_NUMBERS:
        error = ComptoirError(reason, retry_after_seconds=_WAIT_SECONDS)
    else:
        numbers = _OF_A_BUDGET if reason.row.code == "insufficient_quota" else _NUMBERS
        error = ComptoirError(reason, numbers=numbers, retry_after_seconds=_WAIT_SECONDS)
    return str(json.loads(error_json(error))["error"]["message"])


@cache
def _comments() -> dict[str, str]:
    text = _SCHEMA.read_text(encoding="utf-8")
    return {
        name: " ".join(line.strip().removeprefix("//").strip() for line in comment.splitlines())
        for comment, name in _VALUE.findall(text)
    }


def _faces(row: Row) -> str:
    next_ticket = "yes" if row.may_try_next_ticket else ""
    http = f"{row.http_status} `{row.code}`"
    return " | ".join((f"`{row.grpc_status}`", _AGAIN[row.retry], next_ticket, http))


def _tries(row: Row) -> str:
    """Returns what a program may do by itself, as far as it may do anything."""
    if row.retry is Retry.LATER:
        later = " Over HTTP `retry-after` says when, over gRPC `retry_after_milliseconds`."
    elif row.retry is Retry.NEW_TICKET:
        later = " Over gRPC with a new ticket; the edge gets one by itself."
    else:
        later = ""
    other = " Over gRPC, where no text has come, another ticket of the lease may serve it."
    return later + (other if row.may_try_next_ticket else "")
