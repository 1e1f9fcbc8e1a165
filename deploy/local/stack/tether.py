"""Becomes a command that dies with its parent: python tether.py PARENT_PID COMMAND [ARGUMENT ...].

Run as a script, before anything heavy is imported. The supervisor cannot do this itself between
fork and exec: it holds gRPC threads, and gRPC's fork handlers crash such a child.
"""

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Asks the kernel for SIGTERM at the parent's death, which holds beyond exec, and execs the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)  # it died before it could be watched
    os.execv(command[0], command)  # noqa: S606 - our own command


if __name__ == "__main__":
    main()
