"""POST /tokenize and /v1/responses/input_tokens between scripted neighbours."""

import openai
import pytest

from services.edge.domain.ports import Retirement
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.conftest import Stage, sdk

USER = {"role": "user", "content": "Écris."}


@pytest.mark.parametrize("path", ["/tokenize", "/v1/tokenize", "/v1/v1//tokenize/"])
async def test_a_prompt_is_tokenized_under_the_path_that_vllm_has_and_below_v1(
    stage: Stage, path: str
) -> None:
    client = await stage.start()
    answer = await client.post(path, json={"model": "tiny-eu", "prompt": "é", "canary": 1})
    assert answer.json() == {
        "count": 11,
        "max_model_len": 4096,
        "tokens": list(range(11)),
        "token_strs": None,
    }
    assert answer.headers["x-ratelimit-remaining-requests"] == "59"
    assert answer.headers["x-comptoir-ignored-fields"] == "1"
    assert stage.generators[0].texts == ["é"]
    await stage.drain()
    (event,) = stage.emitter.events
    assert (event.endpoint, event.http_status, event.model, event.tenant_low, event.key_low) == (
        6,
        200,
        1,
        2,
        3,
    )
    assert event.admitted_microseconds > 0
    assert not stage.router.released


async def test_the_sdk_counts_an_input(stage: Stage) -> None:
    stage.router.model_name, stage.router.retirement = "tiny-eu", Retirement(1_780_000_000)
    await stage.start()
    async with sdk(stage) as client:
        told = await client.responses.input_tokens.with_raw_response.count(
            model="old", input="Bonjour", instructions="Sois bref."
        )
    assert told.parse().input_tokens == 11
    assert told.headers["deprecation"] == "@1780000000"
    assert stage.generators[0].texts == ["Sois bref.", "Bonjour"]
    await stage.drain()
    assert [event.endpoint for event in stage.emitter.events] == [7]


async def test_a_wrong_key_counts_nothing_and_its_body_is_not_read(stage: Stage) -> None:
    client = await stage.start()
    answer = await client.post("/tokenize", json={"prompt": "a"}, headers={"authorization": "Bearer no"})
    assert answer.status_code == 401
    assert not stage.router.keys


@pytest.mark.parametrize(
    ("reason", "status"),
    [(Reason.REQUESTS_EXHAUSTED, 429), (Reason.MODEL_NOT_FOUND, 404), (Reason.NO_REPLICA, 503)],
)
async def test_a_refusal_of_the_router_keeps_its_status(stage: Stage, reason: Reason, status: int) -> None:
    stage.router.refusal = ComptoirError(reason)
    client = await stage.start()
    assert (await client.post("/tokenize", json={"messages": [USER]})).status_code == status


async def test_what_no_context_can_hold_is_named_as_it_was_sent(stage: Stage) -> None:
    stage.generators[0].before_started = [ComptoirError(Reason.CONTEXT_TOO_LONG, field="messages")]
    await stage.start()
    async with sdk(stage) as client:
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.responses.input_tokens.count(model="tiny-eu", input="Bonjour")
    assert (refusal.value.code, refusal.value.param) == ("context_length_exceeded", "input")


async def test_a_text_that_is_too_long_for_the_router_is_named_a_prompt(stage: Stage) -> None:
    stage.router.refusal = ComptoirError(Reason.CONTEXT_TOO_LONG, field="prompt_tokens_upper_bound")
    client = await stage.start()
    for body, name in (({"prompt": "a"}, "prompt"), ({"messages": [USER]}, "messages")):
        assert (await client.post("/tokenize", json=body)).json()["error"]["param"] == name


async def test_a_replica_that_is_gone_is_worth_another_try(stage: Stage) -> None:
    stage.router.addresses = [f"unix:{stage.folder}/nobody"]
    client = await stage.start()
    answer = await client.post("/tokenize", json={"messages": [USER]})
    assert answer.status_code == 503
    assert answer.headers["x-should-retry"] == "true"
