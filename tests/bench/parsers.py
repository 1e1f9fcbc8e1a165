"""What each parser of the edge costs at once, twice and four times the largest input of a stranger.

    .venv/bin/python -m tests.bench.parsers

Prints milliseconds of CPU on the event loop (the least of several runs) and what of the memory stays.
A column that grows faster than the input, or a first column above 10 ms, is a fault.
"""

import gc
import gzip
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.edge.documents import decode_json
from services.edge.domain.codings import CodingBrokenError, CodingUnsupportedError, decode
from services.edge.domain.openai.chat.request import parse_chat
from services.edge.domain.structure import outside_strings
from services.kernel.api_keys import region_of
from services.kernel.errors import ComptoirError
from services.runtime.http.bodies import ChunkedBody
from services.runtime.http.bounds import RefusedError
from services.runtime.http.head import end_of_head, parse_head

_BODY_BYTES = 1024 * 1024
_HEAD_BYTES = 16 * 1024
# What one read of a socket gives at most, with what waited before it.
_READ_BYTES = 256 * 1024 + 64 * 1024
_ROUNDS = 15
_REFUSALS = (ComptoirError, CodingBrokenError, CodingUnsupportedError, RefusedError)


@dataclass(frozen=True, slots=True)
class Case:
    """A parser and the input that costs it most, for a size in bytes."""

    name: str
    size: int
    make: Callable[[int], bytes]
    run: Callable[[bytes], object]


def repeated(piece: bytes, *, head: bytes = b"", foot: bytes = b"") -> Callable[[int], bytes]:
    """Inputs that are one piece again and again."""
    return lambda size: head + piece * ((size - len(head) - len(foot)) // len(piece)) + foot


def whole_chat(document: bytes) -> object:
    """All that the edge does with a body."""
    return parse_chat(decode_json(document))


def first_chunks(wire_bytes: bytes) -> object:
    """One turn of the loop with chunks."""
    return ChunkedBody().take(bytearray(wire_bytes))


def whole_head(head: bytes) -> object:
    """A head, found and read."""
    return end_of_head(bytearray(head), 0, len(head)), parse_head(head, max_fields=128)


def messages(size: int) -> bytes:
    """A chat with as many parts of text as its bytes allow."""
    part = b'{"type":"text","text":"%b"}'
    count = 6_000
    text = b"a" * max(0, (size // count) - len(part))
    parts = b",".join([part % text] * count)
    return b'{"model":"m","messages":[{"role":"user","content":[%b]}]}' % parts


def gzip_bomb(size: int) -> bytes:
    """The start of a stream that would become a thousand times as much."""
    return gzip.compress(bytes(1000 * size), 9)[:size]


def cases() -> Iterator[Case]:
    """Every parser with its worst inputs."""
    chat_head = b'{"model":"m","messages":[{"role":"user","content":"'
    for name, make in {
        "quotes": repeated(b'"'),
        "empty strings": repeated(b'"",', head=b"[", foot=b'""]'),
        "one string": repeated(b"a", head=b'"', foot=b'"'),
        "escaped quotes": repeated(rb"\"", head=b'"', foot=b'"'),
        "backslashes": repeated(rb"\\", head=b'"', foot=b'"'),
        "escaped characters": repeated(rb"\u00e9", head=chat_head, foot=b'"}]}'),
        "surrogate pairs": repeated(rb"\ud83d\ude00", head=chat_head, foot=b'"}]}'),
        "surrogate pairs, then half of one": repeated(rb"\ud83d\ude00", head=chat_head, foot=rb'\ud83d"}]}'),
        "halves of surrogate pairs": repeated(rb"\ud83d", head=chat_head, foot=b'"}]}'),
        "characters of 4 bytes": repeated("😀".encode(), head=chat_head, foot=b'"}]}'),
        "broken UTF-8 at the end": repeated(b"a", head=chat_head, foot=b'\xff"}]}'),
        "a quote too few": repeated(b"a", head=chat_head),
        "brackets": repeated(b"["),
        "braces": repeated(b'{"a":'),
        "numbers": repeated(b"1,", head=b"[", foot=b"1]"),
        "long numbers": repeated(b"1", head=b"[", foot=b"]"),
        "19 000 objects": lambda size: (
            b"[%b]" % b",".join([b'{"%b":1}' % (b"k" * (size // 9_500 - 10))] * 9_500)
        ),
        "one object with 19 000 keys": lambda size: (
            b"{%b}"
            % b",".join([b'"%019d%b":1' % (key, b"k" * (size // 19_000 - 24)) for key in range(19_000)])
        ),
        "white space": repeated(b" "),
        "6 000 parts of text": messages,
    }.items():
        yield Case(f"a body of {name}", _BODY_BYTES, make, whole_chat)
    yield Case("outside_strings, quotes", _BODY_BYTES, repeated(b'"'), outside_strings)
    yield Case("gzip of zeros", _BODY_BYTES, gzip_bomb, _decode_gzip)
    yield Case("gzip that is stored", _BODY_BYTES, lambda size: gzip.compress(bytes(size), 0), _decode_gzip)
    yield Case("chunks of one byte", _READ_BYTES, repeated(b"1\r\na\r\n"), first_chunks)
    yield Case("trailers", _READ_BYTES, repeated(b"a:\r\n", head=b"0\r\n"), first_chunks)
    yield Case("an extension", _READ_BYTES, repeated(b"e", head=b"1;"), first_chunks)
    yield Case(
        "a head of many fields",
        _HEAD_BYTES,
        repeated(b"a:b\r\n", head=b"GET / HTTP/1.1\r\n", foot=b"\r\n"),
        whole_head,
    )
    yield Case(
        "a head of one long field",
        _HEAD_BYTES,
        repeated(b"a", head=b"GET / HTTP/1.1\r\na:", foot=b"\r\n\r\n"),
        whole_head,
    )
    yield Case(
        "a head of one long target",
        _HEAD_BYTES,
        repeated(b"%61", head=b"GET /", foot=b" HTTP/1.1\r\n\r\n"),
        whole_head,
    )
    yield Case("line feeds", _HEAD_BYTES, repeated(b"\r\na", foot=b"\r\n\r\n"), whole_head)
    yield Case("a key", _HEAD_BYTES, repeated(b"a", head=b"cptr_eu-"), lambda key: region_of(key.decode()))


def _decode_gzip(body: bytes) -> bytes:
    return decode(body, [b"gzip"], max_bytes=_BODY_BYTES)


def milliseconds(case: Case, size: int) -> float:
    """The least time of several runs; a refusal is a run."""
    taken = []
    document = case.make(size)
    for _ in range(_ROUNDS):
        started = time.thread_time()
        _run(case, document)
        taken.append(time.thread_time() - started)
    return min(taken) * 1000


def kept_bytes(case: Case) -> int:
    """What of the memory stays after a run, once the collector ran."""
    document = case.make(case.size)
    _run(case, document)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    _run(case, document)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return after - before


def _run(case: Case, document: bytes) -> None:
    try:
        case.run(document)
    except _REFUSALS:
        return


def main() -> None:
    """Prints the table."""
    print("| input | 1x | 2x | 4x | kept |")
    print("|---|---|---|---|---|")
    for case in cases():
        times = [milliseconds(case, factor * case.size) for factor in (1, 2, 4)]
        columns = " | ".join(f"{taken:.2f}" for taken in times)
        print(f"| {case.name} | {columns} | {kept_bytes(case)} B |", flush=True)


if __name__ == "__main__":
    main()
