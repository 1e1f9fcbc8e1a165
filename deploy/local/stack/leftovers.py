"""What a killed supervisor left: its processes drain by themselves, and the next start waits for them."""

import asyncio
import contextlib
import itertools
import os
import signal
from typing import Final

import psutil

from deploy.local.stack.paths import DataPaths

_PAUSE_SECONDS: Final = 0.1


async def clear_leftovers(paths: DataPaths, *, drain_seconds: float = 30.0) -> None:
    """Asks the processes of an earlier run in this folder to drain, and kills those that do not in time."""
    left = _leftovers(paths)
    _signal_all(left, signal.SIGTERM)
    deadline = asyncio.get_running_loop().time() + drain_seconds
    while any(process.is_running() for process in left):
        if asyncio.get_running_loop().time() > deadline:
            _signal_all(left, signal.SIGKILL)
            deadline = float("inf")
        await asyncio.sleep(_PAUSE_SECONDS)


def _leftovers(paths: DataPaths) -> list[psutil.Process]:
    """Leaders of their own session that were started with this folder's settings."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            command = process.cmdline()
            pairs = itertools.pairwise(command)
            names_it = any(option == "--config" and paths.is_config(value) for option, value in pairs)
            if names_it and os.getsid(process.pid) == process.pid:
                found.append(process)
    return found


def _signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):
            if not process.is_running():
                continue
            if number is signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
