"""What each parser and check of the local store's front costs at a quarter, a half and all of its bound.

.venv/bin/python -m tests.bench.store_front
"""

import asyncio
import contextlib
import gzip
import os
import platform
import resource
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import cramjam

from deploy.local.clickhouse.adapters.chdb_engine import ChdbEngine
from deploy.local.clickhouse.adapters.engine_folder import EngineFolder
from deploy.local.clickhouse.domain.errors import StoreError
from deploy.local.clickhouse.domain.inserts import split_insert
from deploy.local.clickhouse.domain.request import parse_request
from deploy.local.clickhouse.server.checker import StatementChecker
from deploy.local.clickhouse.wire.codings import decode
from deploy.local.clickhouse.wire.forms import MAX_FIELDS, form_fields, url_fields
from deploy.local.clickhouse.wire.native_blocks import decode_blocks, encode_blocks

BOUND = 256 * 1024
_ROUNDS = 5
_FORM = "multipart/form-data; boundary=b"
Work = Callable[[], object]
Maker = Callable[[int], Work]


def repeated(head: str, unit: str, foot: str = "") -> Callable[[int], str]:
    """Texts of `unit` again and again, so many bytes long."""
    return lambda size: head + unit * ((size - len(head) - len(foot)) // len(unit)) + foot


STATEMENTS = {
    "calls `-a,`": repeated("SELECT ", "-a,", "a"),
    "literals `1,`": repeated("SELECT ", "1,", "1"),
    "`a=1 OR`": repeated("SELECT 1 WHERE ", "a=1 OR ", "1"),
    "an IN of strings": repeated("SELECT 1 WHERE a IN (", "'value',", "'y')"),
    "one string": repeated("SELECT '", "x", "'"),
    "unions": repeated("SELECT 1 ", "UNION ALL SELECT 1 "),
    "aliases": repeated("WITH ", "1 AS a,", "1 AS b SELECT 1"),
    "100 levels, then a list": repeated("SELECT " + "f(" * 100, "1,", "1" + ")" * 100),
    "brackets never closed": repeated("SELECT ", "("),
    "steps back, exponential": repeated("SELECT * FROM ", "(COLUMNS((("),
}


def checks(checker: StatementChecker) -> dict[str, Maker]:
    """The whole check of a statement, the engine's parser included."""

    def of(text_of: Callable[[int], str]) -> Maker:
        return lambda size: lambda: checker.check(text_of(size), {}, is_writer=False)

    return {f"check: {name}": of(text_of) for name, text_of in STATEMENTS.items()}


def form_of(size: int) -> bytes:
    """A form of as many fields as the share of the bound, together `size` long."""
    count = max(1, MAX_FIELDS * size // BOUND)
    head = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
    return (head + b"x" * (size // count - len(head) - 2) + b"\r\n") * count + b"--b--\r\n"


def url_of(size: int) -> bytes:
    """A query string of as many parameters as the share of the bound."""
    return b"&".join([b"param_a=%2B" + b"x" * 40] * (MAX_FIELDS * size // BOUND))


def parsers() -> dict[str, Maker]:
    """Everything between the socket and the check."""
    packers = {
        "gzip": lambda body: gzip.compress(body, 1),
        "deflate": lambda body: zlib.compress(body, 1),
        "zstd": lambda body: bytes(cramjam.zstd.compress(body)),
        "lz4": lambda body: bytes(cramjam.lz4.compress(body)),
        "br": lambda body: bytes(cramjam.brotli.compress(body)),
    }

    def bomb(coding: str) -> Maker:
        def of(size: int) -> Work:
            packed = packers[coding](bytes(64 * BOUND))[:BOUND]
            return lambda: decode(packed, coding, size)

        return of

    def headers(size: int) -> Work:
        fields = [(f"max_threads{number}", "1") for number in range(MAX_FIELDS * size // BOUND)]
        return lambda: parse_request(fields, {}, is_get=False, is_writer=False, session_timeout_seconds=1.0)

    made: dict[str, Maker] = {f"bomb: {coding}": bomb(coding) for coding in packers}
    tiny = encode_blocks(b"x")
    made |= {
        "form of 1,000 fields, on the loop": lambda size: (
            lambda: asyncio.run(form_fields(_FORM, form_of(size)))
        ),
        "form of boundaries only, on the loop": lambda size: (
            lambda: asyncio.run(form_fields(_FORM, b"--b\r\n" * (size // 5)))
        ),
        "URL of 1,000 parameters, on the loop": lambda size: lambda: url_fields(url_of(size)),
        "parameters": headers,
        "native blocks of one byte": lambda size: lambda: decode_blocks(tiny * (size // len(tiny)), BOUND),
        "native block, whole": lambda size: lambda: decode_blocks(encode_blocks(bytes(size)), BOUND),
        "head of an INSERT (64 KiB are read)": lambda size: (
            lambda: split_insert(b"INSERT INTO t (" + b"a," * (size // 2))
        ),
    }
    return made


def measured(work: Work) -> float:
    """Milliseconds of the least of some runs; a refusal is an end like another."""
    spent = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        with contextlib.suppress(StoreError):
            work()
        spent.append((time.process_time() - started) * 1e3)
    return min(spent)


def resident_mib() -> float:
    """The memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def report(makers: dict[str, Maker]) -> list[float]:
    """Prints a line each; returns how the last doubling grew."""
    growths = []
    for name, make in makers.items():
        before = resident_mib()
        quarter, half, whole = (measured(make(BOUND // part)) for part in (4, 2, 1))
        growths.append(whole / max(half, 0.1))
        memory = resident_mib() - before
        print(f"| {name} | {quarter:.1f} | {half:.1f} | {whole:.1f} | {memory:+.0f} |")
    return growths


def main() -> None:
    """Prints a table: CPU milliseconds of all threads at a quarter, a half and all of the bound."""
    print(f"machine: {os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}")
    print("| | 64 KiB | 128 KiB | 256 KiB | MiB kept |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = EngineFolder(Path(name))
        bounds = {"max_memory_bytes": 2**30, "max_result_bytes": 2**28}
        engine = ChdbEngine(folder.path, folder.prepare(max_execution_seconds=60, **bounds), "comptoir")
        growths = report(checks(StatementChecker(engine, max_query_bytes=BOUND)))
        growths += report(parsers())
        engine.close()
        folder.release()
    print(f"growth from half to all: median {statistics.median(growths):.1f}, most {max(growths):.1f}")


if __name__ == "__main__":
    main()
