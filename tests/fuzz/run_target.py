"""The process that fuzzes one target: `python -m tests.fuzz.run_target NAME COVERED,… [OPTION…]`."""

import sys

import atheris

from tests.fuzz.targets import check_of


def main() -> None:
    """Runs until libFuzzer ends the process."""
    program, name, covered, *options = sys.argv
    with atheris.instrument_imports(include=covered.split(",")):
        check = check_of(name)
    atheris.Setup([program, *options], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
