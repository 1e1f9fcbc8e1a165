"""What OpenAI's SDK raises for a refusal, and whether it tries again."""

import itertools
import re
from collections.abc import Mapping

import openai
import pytest

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.quota import QuotaState
from tests.services.edge.conftest import CHAT, Stage
from tests.services.edge.scripts import GOOD_KEY


async def refused_by_sdk(stage: Stage, refusal: ComptoirError) -> openai.APIStatusError:
    """What the SDK raises, with its usual two retries still to come."""
    stage.router.refusal = refusal
    async with openai.AsyncOpenAI(api_key=GOOD_KEY, base_url=f"{stage.url}/v1") as client:
        with pytest.raises(openai.APIStatusError) as raised:
            await client.chat.completions.create(**CHAT)
    return raised.value


def rate_limits(headers: Mapping[str, str]) -> list[str]:
    kinds = itertools.product(("requests", "tokens"), ("limit", "remaining", "reset"))
    return [headers[f"x-ratelimit-{part}-{kind}"] for kind, part in kinds]


async def test_the_sdk_fails_at_once_where_no_wait_makes_room(stage: Stage) -> None:
    await stage.start()
    numbers = Numbers(limit=1_000, requested=2_048, available=700)
    refusal = ComptoirError(Reason.QUOTA_TOO_SMALL, field="max_output_tokens", numbers=numbers)
    error = await refused_by_sdk(stage, refusal)
    assert isinstance(error, openai.BadRequestError)
    assert (error.code, error.param) == ("quota_too_small", "max_completion_tokens")
    assert "Limit 1000, Requested 2048" in error.message
    assert "max_completion_tokens to at most 700" in error.message
    assert len(stage.router.keys) == 1


async def test_programs_that_look_for_words_find_an_overflow(stage: Stage) -> None:
    await stage.start()
    numbers = Numbers(limit=2_048, requested=2_600)
    error = await refused_by_sdk(stage, ComptoirError(Reason.CONTEXT_TOO_LONG, numbers=numbers))
    assert error.code == "context_length_exceeded"
    assert re.search(r"maximum context length is 2048 tokens.*resulted in 2600 tokens", error.message)
    assert "reduce the length of the messages" in error.message
    assert len(stage.router.keys) == 1


async def test_the_sdk_is_told_which_limit_is_used_up_and_what_is_left(stage: Stage) -> None:
    await stage.start()
    stage.router.refusal = ComptoirError(
        Reason.TOKENS_EXHAUSTED,
        retry_after_seconds=0.4003,
        numbers=Numbers(limit=1_000, requested=600, available=300),
        quota=QuotaState(60, 58, 1_000, 300, 2.0, 42.0625),
    )
    async with openai.AsyncOpenAI(api_key=GOOD_KEY, base_url=f"{stage.url}/v1", max_retries=0) as client:
        with pytest.raises(openai.RateLimitError) as raised:
            await client.chat.completions.create(**CHAT)
    headers = raised.value.response.headers
    assert "Limit 1000, Used 700, Requested 600. Please try again in 401ms" in raised.value.message
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("1", "401")
    assert rate_limits(headers) == ["60", "58", "2s", "1000", "300", "42.063s"]


async def test_the_sdks_raw_answers_say_what_is_left_whole_and_streamed(stage: Stage) -> None:
    stage.router.quota = QuotaState(60, 59, 1_000, 900, 0.9995, 6.0)
    await stage.start()
    async with openai.AsyncOpenAI(api_key=GOOD_KEY, base_url=f"{stage.url}/v1", max_retries=0) as client:
        for is_streamed in (False, True):
            raw = await client.chat.completions.with_raw_response.create(**CHAT, stream=is_streamed)
            assert rate_limits(raw.headers) == ["60", "59", "1s", "1000", "900", "6s"]


async def test_a_field_that_is_not_served_is_named_to_the_sdk_and_not_dropped(stage: Stage) -> None:
    await stage.start()
    async with openai.AsyncOpenAI(api_key=GOOD_KEY, base_url=f"{stage.url}/v1", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError) as raised:
            await client.chat.completions.create(**CHAT, extra_body={"length_penalty": 5})
        neutral = {"top_k": -1, "min_p": 0, "repetition_penalty": 1.0, "length_penalty": 1}
        answer = await client.chat.completions.create(**CHAT, extra_body=neutral)
    assert (raised.value.code, raised.value.param) == ("unsupported_parameter", "length_penalty")
    assert answer.choices[0].message.content == "Bonjour !"


async def test_the_sdk_raises_its_own_errors(stage: Stage) -> None:
    stage.router.refusal = ComptoirError(Reason.REQUESTS_EXHAUSTED)
    await stage.start()
    async with openai.AsyncOpenAI(api_key=GOOD_KEY, base_url=f"{stage.url}/v1", max_retries=0) as client:
        with pytest.raises(openai.RateLimitError) as raised:
            await client.chat.completions.create(**CHAT)
    assert (raised.value.code, raised.value.type) == ("rate_limit_exceeded", "requests")
    assert raised.value.request_id == stage.router.request_ids[0].hex
