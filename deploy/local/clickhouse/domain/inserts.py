"""Where the statement of an INSERT ends and its data begins."""

from dataclasses import dataclass
from typing import Final

from deploy.local.clickhouse.domain.canonical import Token, tokens

_HEAD_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class SplitInsert:
    """An INSERT whose data follows its text: `statement` ends in `FORMAT name`, `data` is untouched."""

    statement: str
    format: str
    data: bytes


def split_insert(body: bytes) -> SplitInsert | None:
    """Returns the two parts of `body` if it is an INSERT that data follows, else None.

    Only the statement part is parsed and run; a wrong split can therefore never run unchecked text.
    """
    if not body.lstrip()[:6].upper().startswith(b"INSERT") and body.lstrip()[:2] not in (b"--", b"/*"):
        return None
    # One character per byte, so that positions are byte positions.
    head = body[:_HEAD_BYTES].decode("latin-1")
    depth, before = 0, None
    for index, token in enumerate(tokens(head)):
        if index == 0 and not token.is_word("INSERT"):
            return None
        depth += (token.kind == "(") - (token.kind == ")")
        if depth == 0 and _ends_without_data(token):
            return None
        if depth == 0 and token.is_word("VALUES"):
            return _split(body, head, token.start, token.end, "Values")
        if depth == 0 and before is not None and before.is_word("FORMAT") and token.kind == "word":
            return _split(body, head, before.start, _data_start(head, token.end), token.text)
        before = token
    return None


def _ends_without_data(token: Token) -> bool:
    return token.is_word("SELECT") or token.is_word("WITH") or token.is_word("INFILE")


def _split(body: bytes, head: str, end: int, data_start: int, name: str) -> SplitInsert | None:
    try:
        statement = head[:end].encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return None
    return SplitInsert(f"{statement.rstrip()} FORMAT {name}", name, body[data_start:])


def _data_start(head: str, at: int) -> int:
    while at < len(head) and head[at] in " \t\f":
        at += 1
    if head[at : at + 1] == "\r":
        at += 1
    return at + 1 if head[at : at + 1] == "\n" else at
