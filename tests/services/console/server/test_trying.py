"""A trial goes to the edge with the operator's key and comes back as it is; no part of it stays."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from tests.services.console.sources import Sources

Browser = Callable[..., httpx.AsyncClient]
KEY = {"Authorization": "Bearer cptr_eu-fr_secret"}
TRIAL = {"model": "f3", "prompt": "Bonjour", "max_output_tokens": 8}


async def test_an_answer_comes_back_as_the_edge_gives_it(browser: Browser, sources: Sources) -> None:
    answer = await browser().post("/try", headers=KEY, json=TRIAL)
    assert answer.content == b"".join(sources.parts)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    ((trial, key),) = sources.trials
    assert (trial.prompt, key) == ("Bonjour", "cptr_eu-fr_secret")
    assert sources.open_answers == 0


async def test_a_refusal_keeps_its_status(browser: Browser, sources: Sources) -> None:
    sources.status, sources.parts = 401, (b'{"error": {"message": "no"}}',)
    answer = await browser().post("/try", headers=KEY, json=TRIAL)
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "no")


async def test_an_edge_that_is_away_is_one_sentence(browser: Browser, sources: Sources) -> None:
    sources.away = "The edge does not answer."
    answer = await browser().post("/try", headers=KEY, json=TRIAL)
    assert (answer.status_code, answer.text) == (502, "The edge does not answer.")


@pytest.mark.parametrize("header", ["", "Basic x", "Bearer ", "Bearer " + "x" * 300])
async def test_without_a_key_nothing_is_asked(browser: Browser, sources: Sources, header: str) -> None:
    answer = await browser().post("/try", headers={"Authorization": header}, json=TRIAL)
    assert answer.status_code == 400
    assert sources.trials == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"model": "f3"}', b'{"model": "f3", "prompt": "canary", "n": 2}', b"x" * 200_000]
)
async def test_what_is_no_trial_is_refused_without_its_words(
    browser: Browser, sources: Sources, body: bytes
) -> None:
    answer = await browser().post("/try", headers=KEY, content=body)
    assert answer.status_code == 400
    assert "canary" not in answer.text
    assert sources.trials == []


async def test_no_more_answers_run_at_once_than_may(browser: Browser, sources: Sources) -> None:
    going = asyncio.Event()
    begun = asyncio.Event()

    async def parts() -> object:
        begun.set()
        await going.wait()
        yield b"data: [DONE]\n\n"

    sources._parts = parts  # type: ignore[method-assign,assignment]
    async with browser() as client:
        first = asyncio.create_task(client.post("/try", headers=KEY, json=TRIAL))
        await begun.wait()
        assert (await client.post("/try", headers=KEY, json=TRIAL)).status_code == 503
        going.set()
        assert (await first).status_code == 200
        assert (await client.post("/try", headers=KEY, json=TRIAL)).status_code == 200


async def test_who_leaves_ends_the_request_to_the_edge(browser: Browser, sources: Sources) -> None:
    begun = asyncio.Event()

    async def parts() -> object:
        begun.set()
        await asyncio.Event().wait()
        yield b""

    sources._parts = parts  # type: ignore[method-assign,assignment]
    async with browser() as client:
        asking = asyncio.create_task(client.post("/try", headers=KEY, json=TRIAL))
        await begun.wait()
        assert sources.open_answers == 1
        asking.cancel()
        await asyncio.wait({asking})
    assert sources.open_answers == 0
