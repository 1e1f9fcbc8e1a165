import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.beside.connection import Connection, Reply
from tests.bench.beside.served import HEAD, PRELUDE, SPACED, TEXT, USAGE, chunked


class Sent:
    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.is_aborted = False

    def write(self, data: bytes) -> None:
        self.data.append(data)

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True


def connected() -> tuple[Connection, Any]:
    connection, transport = Connection(), Sent()
    connection.connection_made(transport)  # type: ignore[arg-type] # has the methods that are used
    return connection, transport


def asked(pieces: list[bytes]) -> list[Reply | None]:
    """What the future held after each piece."""

    async def run() -> list[Reply | None]:
        connection, _ = connected()
        reply = connection.ask(b"GET")
        found: list[Reply | None] = []
        for piece in pieces:
            connection.data_received(piece)
            found.append(reply.result() if reply.done() else None)
        return found

    return asyncio.run(run())


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [data[one:two] for one, two in itertools.pairwise(edges)]


@given(st.lists(st.integers(min_value=1), max_size=12), st.sampled_from([TEXT, SPACED]))
def test_an_answer_ends_with_its_last_byte_however_it_is_cut(cuts: list[int], text: bytes) -> None:
    found = asked(split(HEAD + chunked(PRELUDE, text, USAGE), cuts))
    assert found[:-1] == [None] * (len(found) - 1)
    last = found[-1]
    assert last is not None
    assert (last.status, last.body) == (200, chunked(PRELUDE, text, USAGE))
    assert last.first is not None
    assert last.first <= last.ended


def test_the_prelude_is_no_text() -> None:
    last = asked([HEAD + chunked(PRELUDE, USAGE)])[-1]
    assert last is not None
    assert last.first is None


@given(st.lists(st.integers(min_value=1), max_size=6))
def test_a_whole_answer_ends_by_its_length(cuts: list[int]) -> None:
    body = b'{"error":{"message":"0\\r\\n"}}'
    head = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: %d\r\n\r\n" % len(body)
    found = asked(split(head + body, cuts))
    assert found[:-1] == [None] * (len(found) - 1)
    last = found[-1]
    assert last is not None
    assert (last.status, last.body) == (429, body)


def test_an_empty_stream_ends_too() -> None:
    assert asked([HEAD, b"0\r\n\r\n"])[-1] is not None


async def test_the_next_answer_starts_anew() -> None:
    connection, transport = connected()
    for _ in range(2):
        reply = connection.ask(b"GET")
        connection.data_received(HEAD + chunked(TEXT, USAGE))
        assert reply.result().body == chunked(TEXT, USAGE)
    assert transport.data == [b"GET", b"GET"]


async def test_a_connection_that_is_lost_fails_its_answer_and_asks_no_more() -> None:
    connection, _ = connected()
    reply = connection.ask(b"GET")
    connection.connection_lost(None)
    with pytest.raises(ConnectionResetError):
        await reply
    assert not connection.is_open
    with pytest.raises(ConnectionResetError):
        connection.ask(b"GET")
