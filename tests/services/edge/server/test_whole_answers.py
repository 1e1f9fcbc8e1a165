"""What an edge holds of answers until they are whole, however long they become."""

import asyncio
from functools import partial
from typing import Any

import pytest

from services.edge.server.large_answers import WHOLE_BYTES, GrowingPlace, LargeAnswers
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.conftest import CHAT, PATH, STREAM, Stage

LIMIT_BYTES = 4 * WHOLE_BYTES
TEXT = "é" * (WHOLE_BYTES // 8)
COMPLETION: Any = {"model": "tiny-eu", "prompt": "Écris."}
RESPONSE: Any = {"model": "tiny-eu", "input": "Écris."}


def answers() -> LargeAnswers:
    return LargeAnswers(wait_seconds=0, max_bytes=2 * LIMIT_BYTES, max_bytes_of_key=LIMIT_BYTES)


def reason_of(place: GrowingPlace) -> Reason | None:
    return None if place.refusal is None else place.refusal.reason


async def test_a_short_answer_takes_no_place() -> None:
    held = answers()
    async with held.place("a", LIMIT_BYTES), held.place("b", LIMIT_BYTES):
        with held.growing("a") as place:
            place.grow(WHOLE_BYTES)
            place.check()


async def test_a_long_answer_takes_its_place_as_it_comes_and_gives_it_back() -> None:
    held = answers()
    with held.growing("a") as first, held.growing("a") as second:
        for size_bytes in range(0, LIMIT_BYTES, 1000):
            first.grow(size_bytes)
        assert reason_of(first) is None
        second.grow(3 * WHOLE_BYTES)
        assert reason_of(second) is Reason.CONCURRENCY_EXHAUSTED
        with pytest.raises(ComptoirError):
            second.check()
    async with held.place("a", LIMIT_BYTES):
        pass


def test_an_answer_that_no_key_may_hold_is_told_the_bound() -> None:
    with answers().growing("a") as place:
        place.grow(LIMIT_BYTES)
        assert reason_of(place) is None
        place.grow(LIMIT_BYTES + 1)
        with pytest.raises(ComptoirError) as refusal:
            place.check()
    assert (refusal.value.reason, refusal.value.numbers.limit) == (Reason.ANSWER_TOO_LARGE, LIMIT_BYTES)


async def test_an_edge_that_is_full_says_so_to_every_key() -> None:
    held = answers()
    async with held.place("a", LIMIT_BYTES), held.place("b", LIMIT_BYTES):
        with held.growing("c") as place:
            place.grow(WHOLE_BYTES + 1)
            assert reason_of(place) is Reason.REPLICA_OVERLOADED


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    small = partial(LargeAnswers, max_bytes_of_key=LIMIT_BYTES)
    monkeypatch.setattr("services.edge.process.LargeAnswers", small)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    ("path", "body"),
    [(PATH, CHAT), ("/v1/completions", COMPLETION), ("/v1/responses", RESPONSE)],
    ids=["chat", "completions", "responses"],
)
@pytest.mark.parametrize("waits", [True, False])
async def test_a_whole_answer_that_nobody_may_hold_is_refused_with_the_bound(
    stage: Stage, path: str, body: dict[str, object], *, waits: bool
) -> None:
    # Each text waits for the one before to be taken, or all come at once.
    steps: list[Any] = [TEXT] * 40
    if waits:
        gates = [asyncio.Event() for _ in steps]
        steps = [step for pair in zip(gates, steps, strict=True) for step in pair]
        for number, gate in enumerate(gates):
            asyncio.get_running_loop().call_later(number * 0.001, gate.set)
    stage.generators[0].steps = steps
    client = await stage.start()
    refused = await client.post(path, json=body)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (400, "answer_too_large")
    assert str(LIMIT_BYTES) in error["message"]
    stage.generators[0].steps = ["Bon"]
    assert (await client.post(path, json=body)).status_code == 200


@pytest.mark.parametrize("bound", ["max_bytes", "max_bytes_of_key"])
async def test_an_sdk_does_not_pay_again_for_an_answer_that_found_no_place(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    full = LargeAnswers(wait_seconds=0, **{bound: WHOLE_BYTES})
    monkeypatch.setattr(full, "_max_bytes_of_answer", 100 * WHOLE_BYTES)
    monkeypatch.setattr("services.edge.process.LargeAnswers", lambda **_: full)
    stage.generators[0].steps = [TEXT] * 40
    client = await stage.start()
    refused = await client.post(PATH, json=CHAT)
    assert refused.status_code in (429, 503)
    assert refused.headers["x-should-retry"] == "false"
    assert "retry-after" not in refused.headers


@pytest.mark.usefixtures("bounded")
async def test_the_same_answers_are_streamed_to_their_end_where_nothing_is_repeated(stage: Stage) -> None:
    stage.generators[0].steps = [TEXT] * 40
    client = await stage.start()
    told = await client.post(PATH, json=STREAM)
    assert told.text.count(TEXT) == 40
    told = await client.post("/v1/completions", json=COMPLETION | {"stream": True})
    assert told.text.count(TEXT) == 40


@pytest.mark.usefixtures("bounded")
async def test_a_streamed_response_repeats_its_answer_and_is_bounded_too(stage: Stage) -> None:
    stage.generators[0].steps = [TEXT] * 40
    client = await stage.start()
    told = await client.post("/v1/responses", json=RESPONSE | {"stream": True})
    assert '"code":"answer_too_large"' in told.text
    assert told.text.endswith("\n\n")
    # What was said is not repeated.
    assert told.text.count(TEXT) < 10
    stage.generators[0].steps = [TEXT] * 2
    told = await client.post("/v1/responses", json=RESPONSE | {"stream": True})
    assert "response.completed" in told.text


@pytest.mark.usefixtures("bounded")
async def test_a_long_whole_answer_has_its_length(stage: Stage) -> None:
    stage.generators[0].steps = [TEXT] * 12
    client = await stage.start()
    told = await client.post(PATH, json=CHAT)
    assert told.json()["choices"][0]["message"]["content"] == TEXT * 12
    assert int(told.headers["content-length"]) == len(told.content)


async def test_an_answer_that_nobody_reads_keeps_its_place(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # More than the sockets of both sides take in.
    one_bytes = 24 * 1024 * 1024
    small = partial(LargeAnswers, max_bytes_of_key=one_bytes + one_bytes // 4)
    monkeypatch.setattr("services.edge.process.LargeAnswers", small)
    stage.generators[0].steps = ["a" * (one_bytes // 12)] * 12
    client = await stage.start()
    async with client.stream("POST", PATH, json=CHAT) as unread:
        assert unread.status_code == 200
        refused = await client.post(PATH, json=CHAT)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert len(await unread.aread()) > one_bytes
    assert (await client.post(PATH, json=CHAT)).status_code == 200
