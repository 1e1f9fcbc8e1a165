"""A reader of server-sent events that forgives nothing, by the letter of the HTML standard."""

import json
import re
from typing import Any, Final

_LINE: Final = re.compile(rb"\r\n|\n|\r")
# Line ends to readers that split a decoded text as their language does.
_WIDE_LINE_ENDS: Final = ("\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
DONE: Final = "[DONE]"


def events(stream: bytes) -> list[str]:
    """Returns the data of each event; raises AssertionError for anything that a reader may misread."""
    found = named_events(stream)
    assert not any(kind for kind, _ in found), "an event has a kind"
    return [data for _, data in found]


def named_events(stream: bytes) -> list[tuple[str, str]]:
    """Returns the kind and the data of each event; raises as `events` does."""
    assert stream.endswith(b"\n\n"), "the last event has no end"
    assert b"\r" not in stream
    text = stream.decode("utf-8")
    assert not any(end in text for end in _WIDE_LINE_ENDS)
    found: list[tuple[str, str]] = []
    kinds: list[bytes] = []
    data: list[bytes] = []
    for line in _LINE.split(stream)[:-1]:
        if not line:
            assert len(data) == 1, "an event is one line of data"
            assert len(kinds) <= 1, "an event is of one kind"
            found.append((b"".join(kinds).decode(), data.pop().decode()))
            kinds.clear()
        elif line.startswith(b":"):
            assert not data, "a comment stands within an event"
            assert not kinds, "a comment stands within an event"
        else:
            name, _, value = line.partition(b": ")
            assert name in (b"data", b"event")
            (data if name == b"data" else kinds).append(value)
    assert not data
    assert not kinds
    return found


def chunks(stream: bytes) -> list[dict[str, Any]]:
    """Returns the objects of a stream, whose last event is `[DONE]`."""
    *objects, last = events(stream)
    assert last == DONE
    assert DONE not in objects
    return [strict_json(each) for each in objects]


def strict_json(document: str | bytes) -> dict[str, Any]:
    """Returns an object; refuses what JSON does not have, and keys that stand twice."""
    value = json.loads(document, parse_constant=_refuse, object_pairs_hook=_once)
    assert isinstance(value, dict)
    return value


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    assert len(found) == len(pairs), "a key stands twice"
    return found
