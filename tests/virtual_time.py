"""An event loop whose time passes at once: whoever sleeps wakes when nobody has anything else to do."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_Got = TypeVar("_Got")


class _Skipping(selectors.SelectSelector):
    """Waits for nothing, and says how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everybody waits for nothing")
        self.passed_seconds += max(0.0, timeout)
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its clock stands still while somebody computes, and jumps to the next timer otherwise."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.passed_seconds


def run(main: Coroutine[Any, Any, _Got]) -> _Got:
    """Runs a test in virtual time; nothing that it began may be left."""

    async def watched() -> _Got:
        got = await main
        for _ in range(3):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
        return got

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(watched())
