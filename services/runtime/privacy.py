"""What keeps a process's memory and files its own: no core dumps, and files that only their owner reads."""

import ctypes
import os
import resource
from typing import Final

_OWNER_ONLY: Final = 0o077
_PR_SET_DUMPABLE: Final = 4


def keep_private() -> None:
    """Forbids core dumps and lets every new file be 0600 and every new folder 0700.

    Both halves are needed against dumps: the limit reaches what the process starts, and where the kernel
    pipes dumps to a program it looks at the process's own mark only, which also refuses debuggers.
    """
    os.umask(_OWNER_ONLY)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
