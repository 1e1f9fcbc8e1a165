"""The `comptoir` command, which a person may interrupt before its modules are there."""

import sys
from typing import Final

# As a shell says of what ended by SIGINT.
_INTERRUPTED: Final = 130


def main() -> None:
    """Runs the command line; Ctrl-C ends it without a trace, in the second of its imports too."""
    try:
        from services.cli.program import run  # noqa: PLC0415 - most of a start, in which people press Ctrl-C

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
