"""How long from `comptoir up` to the first streamed token, on an empty data folder, everything else warm.

.venv/bin/python -m tests.bench.warm_start --runs 5
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

from tests.system.stack_process import Stack, running_stack


def seconds_to_first_token(folder: Path) -> float:
    """Starts a stack in `folder`, streams one chat, and says when its first text came."""
    started = time.monotonic()
    with running_stack(folder) as stack:
        return _first_token(stack) - started


def _first_token(stack: Stack) -> float:
    with stack.client() as client:
        stream = client.chat.completions.create(
            model=stack.model, stream=True, messages=[{"role": "user", "content": "Bonjour"}]
        )
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                return time.monotonic()
    raise AssertionError("the answer had no text")


def main() -> None:
    """Prints each run and the median."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print(f"machine: {os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}")
    measured = []
    for number in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            measured.append(seconds_to_first_token(Path(folder)))
        print(f"run {number + 1}: {measured[-1]:.1f} s from `comptoir up` to the first token")
    print(f"median {statistics.median(measured):.1f} s, {min(measured):.1f} to {max(measured):.1f} s")


if __name__ == "__main__":
    main()
