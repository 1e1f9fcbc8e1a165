"""Large answers that are not read: what an edge holds of them, and what other keys get meanwhile."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial

import pytest

from services.edge.server.http.exchange import Exchange
from services.edge.server.large_answers import LargeAnswers, send_parts
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from services.runtime.http.asgi import Receive, Scope, Send
from tests.contracts.engine_requests import until
from tests.services.edge.conftest import Stage, sdk
from tests.services.runtime.http.serving import GET, serving

_PART = b"1," * 20_000


class Written:
    """Answers with parts, and counts those that were made."""

    def __init__(self, parts: int) -> None:
        self.made = 0
        self._parts = parts

    def _make(self) -> Iterator[bytes]:
        for _ in range(self._parts):
            self.made += 1
            yield _PART

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_parts(Exchange(scope, receive, send, clock=ManualClock()), self._make(), ())


async def test_no_more_of_a_large_answer_is_made_than_its_client_reads() -> None:
    application = Written(2_000)
    async with serving(application) as served:
        client = await served.connect()
        client.send(GET)
        await client.until(b"\r\n\r\n")
        made = -1
        while application.made > made:
            made = application.made
            await asyncio.sleep(0.05)
        assert application.made < 1_000
        client.abort()


@pytest.mark.parametrize(("parts", "has_length"), [(1, True), (100, False)])
async def test_a_small_answer_has_its_length_and_a_large_one_comes_in_chunks(
    parts: int, *, has_length: bool
) -> None:
    async with serving(Written(parts)) as served:
        client = await served.connect()
        client.send(GET)
        _, fields, body = await client.answer()
        assert body == _PART * parts
        assert ("content-length" in fields) == has_length
        old = await served.ask(b"GET / HTTP/1.0\r\n\r\n")
        assert old.endswith(b"\r\n\r\n" + _PART * parts)


def places(wait_seconds: float = 5) -> LargeAnswers:
    return LargeAnswers(wait_seconds=wait_seconds, max_bytes=4, max_bytes_of_key=2)


async def test_a_key_whose_answers_nobody_reads_waits_and_others_do_not() -> None:
    answers, entered = places(), asyncio.Event()

    async def third() -> None:
        async with answers.place("greedy", 1):
            entered.set()

    async with AsyncExitStack() as held:
        await held.enter_async_context(answers.place("greedy", 1))
        await held.enter_async_context(answers.place("greedy", 1))
        waiting = asyncio.create_task(third())
        await asyncio.sleep(0)
        async with asyncio.timeout(1), answers.place("other", 1):
            assert not entered.is_set()
    await waiting
    assert entered.is_set()


@pytest.mark.parametrize(
    ("keys", "reason"),
    [("aa", Reason.CONCURRENCY_EXHAUSTED), ("bbcc", Reason.REPLICA_OVERLOADED)],
)
async def test_who_finds_no_place_in_time_is_told_to_come_again(keys: str, reason: Reason) -> None:
    answers = places(wait_seconds=0.02)
    async with AsyncExitStack() as held:
        for key in keys:
            await held.enter_async_context(answers.place(key, 1))
        with pytest.raises(ComptoirError) as refusal:
            async with answers.place("a", 1):
                raise AssertionError
        assert refusal.value.reason is reason
    async with answers.place("a", 2), answers.place("b", 2):
        pass


async def test_who_leaves_while_it_waits_or_as_it_is_let_in_holds_nothing() -> None:
    answers = places()

    async def hold(gate: asyncio.Event) -> None:
        async with answers.place("a", 2):
            await gate.wait()

    gate = asyncio.Event()
    first, second, third = (asyncio.create_task(hold(gate)) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    first.cancel()
    await asyncio.sleep(0)
    third.cancel()
    await asyncio.gather(first, second, third, return_exceptions=True)
    async with asyncio.timeout(1), answers.place("a", 2), answers.place("b", 2):
        pass


@pytest.mark.parametrize("encoding_format", ["float", "base64"])
async def test_the_sdk_reads_large_vectors(stage: Stage, encoding_format: str) -> None:
    stage.generators[0].dimensions = 4097
    await stage.start()
    async with sdk(stage) as client:
        told = await client.embeddings.with_raw_response.create(
            model="vectors",
            input=["a"] * 40,
            encoding_format=encoding_format,  # type: ignore[arg-type] # one of both
        )
    assert "content-length" not in told.headers
    assert len(told.parse().data) == 40


async def test_a_client_of_vectors_that_reads_steadily_gets_them_and_one_that_does_not_is_given_up(
    stage: Stage,
) -> None:
    stage.generators[0].dimensions = 65_536
    client = await stage.start(write_seconds=2)
    body = {"model": "vectors", "input": ["a"] * 24}
    got_bytes = 0
    async with client.stream("POST", "/v1/embeddings", json=body) as answer:
        async for part in answer.aiter_raw(262_144):
            got_bytes += len(part)
            await asyncio.sleep(0.01)
    assert got_bytes > 24 * 65_536 * 8
    async with client.stream("POST", "/v1/embeddings", json=body):
        async with asyncio.timeout(10):
            while len(stage.emitter.events) < 2:  # noqa: ASYNC110 - the emitter tells nobody
                await asyncio.sleep(0.05)
    assert [event.is_client_cancelled for event in stage.emitter.events] == [False, True]


async def test_a_key_with_unread_vectors_is_not_admitted_for_more_before_they_are_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.edge.process.LargeAnswers", partial(LargeAnswers, max_bytes_of_key=500_000))
    stage.generators[0].dimensions = 65_536
    client = await stage.start()
    async with client.stream("POST", "/v1/embeddings", json={"model": "vectors", "input": ["a"] * 24}):
        stage.generators[0].dimensions = 2
        asking = asyncio.create_task(client.post("/v1/embeddings", json={"input": ["b"] * 24}))
        tokenizing = asyncio.create_task(client.post("/tokenize", json={"prompt": "c" * 100_000}))
        # The admission of the first, and whether the key of the long body is known.
        await until(lambda: len(stage.router.keys) == 2, 10)
        await asyncio.sleep(0.1)
        assert (asking.done(), tokenizing.done(), len(stage.router.keys)) == (False, False, 2)
    assert (await asking).status_code == (await tokenizing).status_code == 200
