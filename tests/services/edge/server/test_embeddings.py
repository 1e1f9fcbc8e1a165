"""POST /v1/embeddings between scripted neighbours: one admission, one call, vectors behind the record."""

import asyncio

import openai
import pytest

from services.edge.domain.ports import Retirement
from services.kernel.errors import ComptoirError, Numbers, Reason
from tests.services.edge.conftest import Stage, sdk

FIRST, SECOND = [0.0, 0.10000000149011612], [1.0, 0.10000000149011612]


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings", "/v1/v1//embeddings/"])
async def test_inputs_get_their_vectors_in_order_and_a_count(stage: Stage, path: str) -> None:
    client = await stage.start()
    body = {"model": "vectors", "input": ["a", "bc"], "user": "u", "canary": 1}
    answer = await client.post(path, json=body)
    assert answer.json() == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": FIRST},
            {"object": "embedding", "index": 1, "embedding": SECOND},
        ],
        "model": "vectors",
        "usage": {"prompt_tokens": 11, "total_tokens": 11},
    }
    assert answer.headers["x-ratelimit-remaining-requests"] == "59"
    assert answer.headers["x-comptoir-ignored-fields"] == "2"
    assert stage.generators[0].prompts == ["a", "bc"]
    assert len(stage.router.keys) == 1
    await stage.drain()
    (event,) = stage.emitter.events
    assert (event.endpoint, event.http_status, event.model, event.is_streamed) == (4, 200, 1, False)
    assert event.first_byte_microseconds > 0
    assert not stage.router.released


async def test_the_sdk_decodes_its_own_default_to_the_numbers_that_others_get(stage: Stage) -> None:
    stage.router.model_name, stage.router.retirement = "vectors", Retirement(1_780_000_000)
    await stage.start()
    async with sdk(stage) as client:
        told = await client.embeddings.with_raw_response.create(model="old", input=[[1, 2], [3]])
        numbers = await client.embeddings.create(model="old", input=[[1, 2], [3]], encoding_format="float")
    vectors = [item.embedding for item in told.parse().data]
    assert vectors == [item.embedding for item in numbers.data] == [FIRST, SECOND]
    assert told.headers["deprecation"] == "@1780000000"
    assert stage.generators[0].prompts[:2] == [[1, 2], [3]]


@pytest.mark.parametrize(
    ("reason", "status", "param"),
    [
        (Reason.REQUESTS_EXHAUSTED, 429, None),
        (Reason.MODEL_NOT_FOUND, 404, "model"),
        (Reason.MODEL_TASK_MISMATCH, 400, "model"),
        (Reason.NO_REPLICA, 503, None),
    ],
)
async def test_a_refusal_of_the_router_keeps_its_status(
    stage: Stage, reason: Reason, status: int, param: str | None
) -> None:
    stage.router.refusal = ComptoirError(reason, retry_after_seconds=0 if status in {400, 404} else 1)
    client = await stage.start()
    answer = await client.post("/v1/embeddings", json={"input": "a"})
    assert answer.headers.get("retry-after") == (None if status in {400, 404} else "1")
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    if reason is Reason.MODEL_TASK_MISMATCH:
        assert "embed for POST /v1/embeddings" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("error", "code", "param"),
    [
        (
            ComptoirError(Reason.CONTEXT_TOO_LONG, field="inputs[1]", numbers=Numbers(512, 600)),
            "context_length_exceeded",
            "input[1]",
        ),
        (ComptoirError(Reason.REQUEST_INVALID, field="inputs[0].token_ids"), "invalid_value", "input[0]"),
        (
            ComptoirError(Reason.PARAMETER_UNSUPPORTED, field="dimensions"),
            "unsupported_parameter",
            "dimensions",
        ),
    ],
)
async def test_what_the_replica_refuses_is_named_as_it_was_sent(
    stage: Stage, error: ComptoirError, code: str, param: str
) -> None:
    stage.generators[0].before_started = [error]
    await stage.start()
    async with sdk(stage) as client:
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.embeddings.create(model="vectors", input=["a", "bc"])
    assert (refusal.value.code, refusal.value.param) == (code, param)


async def test_no_vector_leaves_before_the_admission_is_recorded(stage: Stage) -> None:
    stage.router.record_gate = asyncio.Event()
    client = await stage.start()
    asking = asyncio.create_task(client.post("/v1/embeddings", json={"input": "a"}))
    await stage.generators[0].has_been_asked.wait()
    await asyncio.sleep(0)
    assert not asking.done()
    stage.router.record_gate.set()
    assert (await asking).status_code == 200


async def test_an_admission_that_is_not_recorded_has_no_vectors(stage: Stage) -> None:
    stage.router.record_refusal = ComptoirError(Reason.USAGE_NOT_RECORDED)
    client = await stage.start()
    assert (await client.post("/v1/embeddings", json={"input": "a"})).status_code == 503


async def test_a_client_that_goes_away_ends_the_call(stage: Stage) -> None:
    stage.generators[0].steps = [asyncio.Event()]
    client = await stage.start()
    asking = asyncio.create_task(client.post("/v1/embeddings", json={"input": "a"}))
    await stage.generators[0].has_been_asked.wait()
    asking.cancel()
    async with asyncio.timeout(5):
        await stage.generators[0].cancelled.wait()
