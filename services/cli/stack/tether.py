"""Becomes a command that dies with its parent: tether.py PARENT_PID NICENESS COMMAND [ARGUMENT ...].

Run as a script, before anything heavy is imported. The supervisor cannot do this itself between
fork and exec: it holds gRPC threads, and gRPC's fork handlers crash such a child.
"""

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Asks the kernel for SIGTERM at the parent's death, which holds beyond exec, and execs the command."""
    parent, niceness, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)  # it died before it could be watched
    _yield_to_others(niceness)
    os.execv(command[0], command)  # noqa: S606 - our own command


def _yield_to_others(niceness: int) -> None:
    """Lowers this process and its session, because Linux weighs sessions first where it groups by them."""
    os.nice(niceness)
    with contextlib.suppress(OSError):
        group = os.open("/proc/self/autogroup", os.O_WRONLY)
        os.write(group, str(niceness).encode())
        os.close(group)


if __name__ == "__main__":
    main()
