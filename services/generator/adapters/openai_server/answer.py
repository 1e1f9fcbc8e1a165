"""The choices of one request, read side by side and told to one receiver."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from services.generator.adapters.openai_server.stream import ChoiceStream
from services.generator.domain.delta import Delta, EngineFinish
from services.generator.domain.ports import Receive, RequestFailedError
from services.kernel.errors import ComptoirError


class Answer:
    """`open` it once; from then on each choice has a task that reads it. The first that fails ends all."""

    def __init__(
        self,
        streams: Sequence[ChoiceStream],
        receive: Receive,
        stepped: Callable[[int], None],
        ended: Callable[[], object],
    ) -> None:
        self._streams = streams
        self._receive = receive
        self._stepped = stepped
        self._ended = ended
        # What opens a choice, and then what reads it, until it has ended.
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._is_aborted = self._has_told = False

    @property
    def open_choices(self) -> int:
        """How many have not ended."""
        return len(self._tasks)

    async def open(self) -> None:
        """Opens every choice, or none: raises as each does, and closes what was open by then."""
        opening = [asyncio.create_task(stream.open()) for stream in self._streams]
        self._tasks.update(enumerate(opening))
        try:
            await asyncio.gather(*opening)
        except BaseException:
            await self._give_up(opening)
            raise
        if self._is_aborted:
            return
        for index, stream in enumerate(self._streams):
            self._tasks[index] = asyncio.create_task(self._read(index, stream))

    def abort(self) -> None:
        """Ends every choice that has not ended, with a last delta."""
        self._is_aborted = True
        for index in self._stop():
            self._receive(Delta(finish=EngineFinish.ABORT, index=index))

    async def _give_up(self, opening: Sequence[asyncio.Task[None]]) -> None:
        self._stop()
        await asyncio.wait(opening)
        for one in opening:
            # All are looked at, or asyncio would report them.
            _ = one.cancelled() or one.exception()
        # One that was just opened was cancelled too late.
        self._stop()

    async def _read(self, index: int, stream: ChoiceStream) -> None:
        try:
            await stream.read(partial(self._take, index))
        except RequestFailedError as failure:
            self._stop()
            self._receive(failure)
        except ComptoirError as refusal:
            self._stop()
            # Another choice may have begun, and then the request was not refused.
            self._receive(RequestFailedError() if self._has_told else refusal)

    def _take(self, index: int, delta: Delta) -> None:
        self._stepped(delta.output_tokens)
        self._has_told = True
        if delta.finish is not None:
            self._tasks.pop(index, None)
            if not self._tasks:
                self._ended()
        self._receive(delta)

    def _stop(self) -> Sequence[int]:
        """Frees the server of all that has not ended, and returns their indices."""
        left = tuple(self._tasks)
        for task in self._tasks.values():
            if task is not asyncio.current_task():
                task.cancel()
        self._tasks.clear()
        for stream in self._streams:
            stream.close()
        self._ended()
        return left
