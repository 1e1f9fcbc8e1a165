"""Python runs this file first where its folder is on PYTHONPATH; a process so started writes down long steps.

For the part `bodies` of the benchmark: what a loop does between two looks at its sockets is a step, and all
other requests of the process wait for it. Its length is the CPU time of the loop's thread, so that what else
the machine does is not part of it. uvloop has no place to measure from; asyncio's own loop takes its place.
"""

import os
import sys
from pathlib import Path
from typing import Any, Final

from services.runtime.settings import environment

_FOLDER: Final = "COMPTOIR_BENCH_STEPS"
_WATCHED: Final = {"services.edge": "edge", "services.router": "router", "services.generator": "generator"}
_LEAST_SECONDS: Final = 0.0005

_names = [name for module, name in _WATCHED.items() if module in sys.orig_argv]
_folder = environment().get(_FOLDER) if _names else None
if _folder is not None:
    import asyncio
    import time
    from asyncio.events import Handle
    from collections.abc import Coroutine

    import uvloop

    _output = os.open(Path(_folder) / _names[0], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    _run_unmeasured = Handle._run

    def _run(handle: Handle) -> None:
        begun = time.thread_time()
        _run_unmeasured(handle)
        seconds = time.thread_time() - begun
        if seconds >= _LEAST_SECONDS:
            line = f"{time.monotonic():.6f} {seconds:.6f} {_name_of(handle)}\n"
            os.write(_output, line.encode())

    def _name_of(handle: Handle) -> str:
        callback = getattr(handle, "_callback", None)
        task = getattr(callback, "__self__", None)
        if isinstance(task, asyncio.Task):
            return str(getattr(task.get_coro(), "__qualname__", "?"))
        return str(getattr(callback, "__qualname__", type(callback).__name__))

    def _run_on_asyncio(main: "Coroutine[Any, Any, Any]", **_: Any) -> Any:
        return asyncio.run(main)

    Handle._run = _run  # type: ignore[assignment, method-assign]
    uvloop.run = _run_on_asyncio
