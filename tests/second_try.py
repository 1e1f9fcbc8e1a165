"""Tries the few tests of whole processes that failed once more, alone, and says so (docs/adr/0086).

Each argument is a run as `FILE=STATUS`: where it noted its failures (`pytest --note-failures FILE`), and how
it ended.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.failures import Failures

# One of the two thousand tests of whole processes may meet a machine that stands still, and take others of
# its stack with it; more of them at once are no accident.
MOST: Final = 3
_TESTS_FAILED: Final = 1


def refusal(runs: Sequence[tuple[Failures, int]]) -> str | None:
    """Returns why these failures are not tried again; None if they are."""
    if any(status not in {0, _TESTS_FAILED} for _, status in runs):
        return "a run did not come to its end"
    if any(status and not noted.failed for noted, status in runs):
        return "a run failed without a test that did"
    if final := [name for noted, _ in runs for name in noted.final]:
        return f"{len(final)} found a guarantee broken: {', '.join(final)}"
    failed = sum(len(noted.failed) for noted, _ in runs)
    return f"{failed} failed, more than {MOST}" if failed > MOST else None


def main(arguments: Sequence[str]) -> int:
    """Returns 0 if no run failed, or each test that did passes now."""
    named = [(Path(path), int(status)) for path, _, status in (each.rpartition("=") for each in arguments)]
    runs = [(Failures.read(path), status) for path, status in named]
    if not any(status for _, status in runs):
        return 0
    if (why := refusal(runs)) is not None:
        print(f"no second try: {why}")
        return 1
    failed = [noted.failed for noted, status in runs if status]
    # Each run's in a process of its own: the real engine's tests must not follow others.
    passed = [_passes(names) for names in failed]
    for names, is_passed in zip(failed, passed, strict=True):
        for name in names:
            print(f"{'PASSED ONLY WHEN TRIED AGAIN' if is_passed else 'FAILED TWICE'}: {name}")
    if all(passed):
        print("A test that passes at its second try is a fault of the test or of the product: mend it.")
    return 0 if all(passed) else 1


def _passes(names: Sequence[str]) -> bool:
    print(f"trying again, alone: {', '.join(names)}", flush=True)
    return subprocess.run([sys.executable, "-m", "pytest", *names], check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
