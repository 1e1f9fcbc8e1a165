"""One request at the engine, from its submission to its end."""

import asyncio
from collections.abc import Callable

from services.generator.domain.delta import Delta, EngineFinish
from services.generator.domain.ports import Engine, EngineFailedError, EngineRequest, RequestFailedError
from services.kernel.errors import ComptoirError

# How each choice of a request ended, by its index.
Finishes = tuple[EngineFinish, ...]


async def answer(engine: Engine, request: EngineRequest, take: Callable[[Delta], None]) -> Finishes:
    """Returns how the engine ended each choice; `take` got each delta in the turn of the step that made it.

    Raises what the engine says of a failure, and what `take` raises. A caller that gets no finish, or is
    cancelled, aborts the request: the engine may still hold it.
    """
    finishes: dict[int, EngineFinish] = {}
    ended: asyncio.Future[Finishes] = asyncio.get_running_loop().create_future()
    # A failure may come while nobody waits any more; asyncio must not report it with its arguments.
    ended.add_done_callback(lambda done: done.cancelled() or done.exception())

    def receive(news: Delta | EngineFailedError | RequestFailedError | ComptoirError) -> None:
        if ended.done():
            return
        if not isinstance(news, Delta):
            ended.set_exception(news)
            return
        try:
            take(news)
        except Exception as defect:  # noqa: BLE001 - it ends this request, and not the step of all others
            ended.set_exception(defect)
            return
        if news.finish is not None:
            finishes[news.index] = news.finish
            if len(finishes) == request.sampling.n or news.finish is EngineFinish.ABORT:
                ended.set_result(tuple(finish for _, finish in sorted(finishes.items())))

    await engine.submit(request, receive)
    return await ended
