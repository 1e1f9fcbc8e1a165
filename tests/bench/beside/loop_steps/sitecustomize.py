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
_WATCHED: Final = {
    "services.edge": "edge",
    "services.router": "router",
    "services.generator": "generator",
    "services.emitter": "emitter",
}
_LEAST_SECONDS: Final = 0.0005

_names = [name for module, name in _WATCHED.items() if module in sys.orig_argv]
_folder = environment().get(_FOLDER) if _names else None
if _folder is not None:
    import asyncio
    import selectors
    import time
    from asyncio.events import Handle
    from collections.abc import Coroutine

    import uvloop

    _output = os.open(Path(_folder) / _names[0], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    _run_unmeasured = Handle._run

    class _Step:
        """What the loop has done since it looked at its sockets, and the longest part of it."""

        begun = longest = 0.0
        name = "?"

    class _WatchedSelector(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> Any:
            seconds = time.thread_time() - _Step.begun
            if _Step.begun and seconds >= _LEAST_SECONDS:
                line = f"{time.monotonic():.6f} {seconds:.6f} {_Step.name}\n"
                os.write(_output, line.encode())
            found = super().select(timeout)
            _Step.begun, _Step.longest, _Step.name = time.thread_time(), 0.0, "?"
            return found

    def _run(handle: Handle) -> None:
        begun = time.thread_time()
        _run_unmeasured(handle)
        seconds = time.thread_time() - begun
        if seconds > _Step.longest:
            _Step.longest, _Step.name = seconds, _name_of(handle)

    def _name_of(handle: Handle) -> str:
        callback = getattr(handle, "_callback", None)
        task = getattr(callback, "__self__", None)
        if isinstance(task, asyncio.Task):
            return str(getattr(task.get_coro(), "__qualname__", "?"))
        return str(getattr(callback, "__qualname__", type(callback).__name__))

    def _run_on_asyncio(main: "Coroutine[Any, Any, Any]", **_: Any) -> Any:
        with asyncio.Runner(loop_factory=_watched_loop) as runner:
            return runner.run(main)

    def _watched_loop() -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(_WatchedSelector())

    Handle._run = _run  # type: ignore[assignment, method-assign]
    uvloop.run = _run_on_asyncio
