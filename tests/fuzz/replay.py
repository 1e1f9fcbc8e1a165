"""Runs inputs once, without instrumentation: `python -m tests.fuzz.replay TARGET FILE…`."""

import sys
from pathlib import Path

from tests.fuzz.targets import check_of


def main() -> None:
    """Raises what a check raises."""
    check = check_of(sys.argv[1])
    for name in sys.argv[2:]:
        check(Path(name).read_bytes())


if __name__ == "__main__":
    main()
