"""An answer ends once: with the engine's finish, its failure, or a defect of what takes the deltas."""

import asyncio
import gc
from dataclasses import replace
from typing import Any, cast

import pytest

from services.generator.domain.answering import Finishes, answer
from services.generator.domain.delta import Delta, EngineFinish
from services.generator.domain.ports import (
    Engine,
    EngineFailedError,
    EngineRequest,
    Receive,
    RequestFailedError,
)
from services.generator.domain.prompt import TokenIds
from services.generator.domain.sampling import Sampling

REQUEST = EngineRequest("1", TokenIds([1]), Sampling(), 4)
LAST = Delta("c", finish=EngineFinish.STOP)


class EngineOfOneStep:
    """Gives everything that it has of a request within its submission."""

    def __init__(self, *news: Delta | EngineFailedError | RequestFailedError) -> None:
        self._news = news

    async def submit(self, _request: EngineRequest, receive: Receive) -> None:
        for news in self._news:
            receive(news)


async def answered(taken: list[Delta], *news: Delta | EngineFailedError | RequestFailedError) -> Finishes:
    async with asyncio.timeout(5):
        return await answer(cast(Engine, EngineOfOneStep(*news)), REQUEST, taken.append)


async def test_each_delta_is_taken_up_to_the_finish_and_nothing_behind_it() -> None:
    taken: list[Delta] = []
    finishes = await answered(taken, Delta("a"), Delta("b"), LAST, Delta("d"), EngineFailedError())
    assert finishes == (EngineFinish.STOP,)
    assert [delta.text for delta in taken] == ["a", "b", "c"]


@pytest.mark.parametrize("failure", [EngineFailedError(), RequestFailedError()])
async def test_a_failure_is_raised_after_what_came_before_it(
    failure: EngineFailedError | RequestFailedError,
) -> None:
    taken: list[Delta] = []
    with pytest.raises(type(failure)):
        await answered(taken, Delta("a"), failure, LAST)
    assert [delta.text for delta in taken] == ["a"]


async def test_a_defect_of_one_request_does_not_reach_the_step_that_the_others_share() -> None:
    engine = EngineOfOneStep(Delta("a"), LAST)
    offered: list[str] = []

    def take(delta: Delta) -> None:
        offered.append(delta.text)
        raise ZeroDivisionError

    # The engine hands on both deltas: what `take` raises comes out of `answer` and not of `receive`.
    with pytest.raises(ZeroDivisionError):
        await answer(cast(Engine, engine), REQUEST, take)
    assert offered == ["a"]


async def test_a_failure_that_comes_after_the_caller_left_is_not_reported_by_asyncio() -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))

    class RefusingEngine(EngineOfOneStep):
        async def submit(self, request: EngineRequest, receive: Receive) -> None:
            await super().submit(request, receive)
            raise RequestFailedError

    taken: list[Delta] = []
    with pytest.raises(RequestFailedError):
        await answer(cast(Engine, RefusingEngine(EngineFailedError())), REQUEST, taken.append)
    gc.collect()
    assert reported == []


async def test_an_answer_ends_with_the_last_of_its_choices() -> None:
    request = replace(REQUEST, sampling=Sampling(n=2))
    news = [Delta("b", finish=EngineFinish.LENGTH, index=1), Delta("a"), Delta(finish=EngineFinish.STOP)]
    taken: list[Delta] = []
    finishes = await answer(cast(Engine, EngineOfOneStep(*news)), request, taken.append)
    assert finishes == (EngineFinish.STOP, EngineFinish.LENGTH)
    assert taken == news
