"""One request at the engine, from its submission to its end."""

import asyncio
from collections.abc import Callable

from services.generator.domain.delta import Delta, EngineFinish
from services.generator.domain.ports import Engine, EngineFailedError, EngineRequest, RequestFailedError


async def answer(engine: Engine, request: EngineRequest, take: Callable[[Delta], None]) -> EngineFinish:
    """Returns how the engine ended the request; `take` got each delta in the turn of the step that made it.

    Raises what the engine says of a failure, and what `take` raises. A caller that gets no finish, or is
    cancelled, aborts the request: the engine may still hold it.
    """
    ended: asyncio.Future[EngineFinish] = asyncio.get_running_loop().create_future()
    # A failure may come while nobody waits any more; asyncio must not report it with its arguments.
    ended.add_done_callback(lambda done: done.cancelled() or done.exception())

    def receive(news: Delta | EngineFailedError | RequestFailedError) -> None:
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
            ended.set_result(news.finish)

    await engine.submit(request, receive)
    return await ended
