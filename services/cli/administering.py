"""What commands of administration share: options, calls of the admin service, how answers are shown."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console

from services.cli.adapters.admin import CALL_SECONDS, RefusedError, call_admin
from services.cli.operator_tls import Admin as Admin  # noqa: PLC0414 - of every such command
from services.kernel.errors import Reason

DataDir = Annotated[Path, typer.Option(help="The data folder of a local stack.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
MissingOk = Annotated[
    bool, typer.Option("--missing-ok", help="What is gone already is well; without it, that is an error.")
]

REFUSED: Final = {
    Reason.ALREADY_EXISTS: "That name is taken; choose another.",
    Reason.NOT_FOUND: "There is no such tenant, key, model or region ({field}); `comptoir tenants list`, "
    "`keys list` and `models list` tell which there are.",
    Reason.REQUEST_INVALID: "The router does not accept that {field}; use lower-case letters, digits, -.",
    Reason.TENANT_HAS_KEYS: "The tenant has keys; `comptoir keys list --tenant` lists them, and "
    "`comptoir keys delete` deletes one.",
}
REVOKED: Final = {
    **REFUSED,
    Reason.OVERLAP_NOT_OVER: "The key was rotated, and its secret of before is taken until {until} UTC; "
    "rotate it after that, or end it now with --force, or every old secret with --overlap-hours 0.",
    Reason.REQUEST_INVALID: "The router does not accept that {field}; a key that is revoked is so for ever.",
}


def ask(
    data_dir: Path,
    admin: str,
    rpc: str,
    request: Message,
    sentences: dict[Reason, str] = REFUSED,  # it is not changed
) -> Any:  # the RPC's own answer
    """Returns the answer of one RPC of the admin service; StackError with a sentence otherwise."""
    return call_admin(
        data_dir, admin, lambda stub: getattr(stub, rpc)(request, timeout=CALL_SECONDS), sentences
    )


def ask_unless_gone(data_dir: Path, admin: str, rpc: str, request: Message) -> Any:  # or None
    """Returns the answer of one RPC, or None where there is nothing of that name or number."""
    try:
        return ask(data_dir, admin, rpc, request)
    except RefusedError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        return None


def show(answer: Message, as_json: bool, sentence: str) -> None:
    """Prints an answer as one JSON object, or what it means as one sentence."""
    if as_json:
        print_json(answer)
    else:
        Console().out(sentence, highlight=False)


def print_json(message: Message) -> None:
    """Prints a message as one JSON object, with its names."""
    Console().out(as_text(message), highlight=False)


def as_text(message: Message) -> str:
    """Returns a message as one JSON object, with its names."""
    content = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return json.dumps(content)


def day(seconds: int) -> str:
    """Returns the day of a moment in UTC, or never for 0."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds else "never"


def hour(seconds: int) -> str:
    """Returns the hour of a moment in UTC, or never for 0."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H}h" if seconds else "never"
