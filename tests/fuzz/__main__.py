"""Fuzzes every target, or those that are named: `make fuzz`, which keeps what it finds in the corpus."""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services.runtime.settings import environment
from tests.fuzz.campaign import Finding, fuzz
from tests.fuzz.targets import TARGETS, Target


def main() -> int:
    """Returns 1 where something was found."""
    asked = _arguments()
    targets = [TARGETS[name] for name in asked.targets or TARGETS]
    seconds = asked.seconds * asked.jobs / len(targets)
    print(f"{len(targets)} targets, {seconds:.0f} s each, {asked.jobs} at a time")

    def run(target: Target) -> bool:
        try:
            fuzz(target, _cache() / target.name, seconds=seconds, say=print)
        except Finding as finding:
            print(f"found: {finding}")
            return False
        print(f"{target.name}: nothing found")
        return True

    with ThreadPoolExecutor(asked.jobs) as pool:
        return 0 if all(list(pool.map(run, targets))) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], help="all unless some are named")
    parser.add_argument("--seconds", type=float, default=600, help="of the whole run (600)")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time (1)")
    return parser.parse_args()


def _cache() -> Path:
    """Returns where inputs that reached something new are kept between runs."""
    home = environment().get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "comptoir" / "fuzz"


if __name__ == "__main__":
    sys.exit(main())
