"""How late rows are, and how fast answers, on a machine whose cores others keep busy.

.venv/bin/python -m tests.bench.row_delay --busy 16 --niceness 0 5 19

One stack; for each niceness of what keeps the records (Kafka, store, pipeline) the same load: one client that
asks again and again. Raising a priority needs the right to do so (root).
"""

import argparse
import contextlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.system.stack_process import Stack, eventually, running_stack

RECORDS = ("kafka", "clickhouse", "usage")
DRAIN_SECONDS = 120.0
_DELAYS = (
    "SELECT count() AS rows, quantile(0.5)(delay) AS p50, quantile(0.95)(delay) AS p95, max(delay) AS most,"
    " sum(is_in_time) AS in_time"
    " FROM (SELECT dateDiff('millisecond', started_at, ingested_at) / 1000 AS delay,"
    " ingested_at <= fromUnixTimestamp64Micro({ended:Int64}) AS is_in_time"
    " FROM comptoir.generations WHERE started_at_microseconds >= {since:UInt64})"
)


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that compute all the time, each in a session of its own."""
    command = (sys.executable, "-c", "while True: pass")
    running = [subprocess.Popen(command, start_new_session=True) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def give_way(stack: Stack, niceness: int) -> None:
    """Sets the niceness of what keeps the records, and the weight of their sessions."""
    for name in RECORDS:
        pid = stack.process(name)["pid"]
        os.setpriority(os.PRIO_PGRP, pid, niceness)
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/autogroup").write_text(str(niceness), encoding="ascii")


def ask(stack: Stack) -> tuple[float, float]:
    """Seconds to the first text of one streamed answer, and to its end."""
    started = time.monotonic()
    first = None
    with stack.client(max_retries=0, timeout=120) as client:
        stream = client.chat.completions.create(
            model=stack.model, stream=True, max_tokens=16, messages=[{"role": "user", "content": "Bonjour"}]
        )
        for chunk in stream:
            if first is None and chunk.choices and chunk.choices[0].delta.content:
                first = time.monotonic() - started
    ended = time.monotonic() - started
    return (ended if first is None else first), ended


def measure(stack: Stack, niceness: int, processes: int, seconds: float) -> str:
    """One line: answers and rows under the load."""
    give_way(stack, niceness)
    since, answers = time.time_ns() // 1000, []
    with busy(processes):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            answers.append(ask(stack))
    # Not during the load: at niceness 19 the store answered no query for four minutes.
    ended = time.time_ns() // 1000
    row = eventually(
        lambda: stack.rows(_DELAYS, since=since, ended=ended)[0],
        lambda it: it["rows"] >= len(answers),
        DRAIN_SECONDS,
    )
    firsts, ends = zip(*answers, strict=True)
    return (
        f"niceness {niceness:2}: {len(answers)} answers, TTFT {_both(firsts)} ms, end {_both(ends)} ms;"
        f" rows late by {row['p50']:.1f} s (p95 {row['p95']:.1f}, most {row['most']:.1f}),"
        f" {row['in_time']} of {row['rows']} there while the load still ran"
    )


def _both(values: Sequence[float]) -> str:
    ordered = sorted(values)
    return f"{1000 * ordered[len(ordered) // 2]:.0f} (p95 {1000 * ordered[int(0.95 * len(ordered))]:.0f})"


def main() -> None:
    """Prints a line per niceness, without the load first."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--busy", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--niceness", type=int, nargs="+", default=[0, 5, 19])
    options = parser.parse_args()
    print(f"machine: {os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder)) as stack:
        for _ in range(5):
            ask(stack)
        print("idle, " + measure(stack, options.niceness[-1], 0, options.seconds / 2), flush=True)
        for niceness in options.niceness:
            print(measure(stack, niceness, options.busy, options.seconds), flush=True)


if __name__ == "__main__":
    main()
