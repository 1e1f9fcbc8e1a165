"""Rate limits, as the official Python client reads them from raw answers and from a refusal."""

import json
import re
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import openai
import pytest

from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

SHORT: Any = {"messages": [{"role": "user", "content": "Bonjour"}], "max_completion_tokens": 2}


def client_of(stack: Stack, *quota: str) -> AbstractContextManager[openai.OpenAI]:
    created = stack.comptoir("keys", "create", *quota, "--json").stdout
    return stack.client(max_retries=0, api_key=json.loads(created)["api_key"])


def seconds_of(duration: str) -> float:
    read = re.fullmatch(r"(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:(\d+)ms)?", duration)
    assert read is not None
    return 60 * int(read[1] or 0) + float(read[2] or 0) + int(read[3] or 0) / 1000


def use_up_requests(client: openai.OpenAI, model: str, left: list[str]) -> None:
    """Asks until it is refused, for more requests than come back meanwhile; notes what each answer left."""
    for _ in range(100):
        raw = client.chat.completions.with_raw_response.create(model=model, **SHORT)
        left.append(raw.headers["x-ratelimit-remaining-requests"])


def check_requests(headers: Mapping[str, str], *, limit: int, remaining: int) -> None:
    assert headers["x-ratelimit-limit-requests"] == str(limit)
    assert headers["x-ratelimit-remaining-requests"] == str(remaining)
    missing = seconds_of(headers["x-ratelimit-reset-requests"]) * limit / 60
    assert limit - remaining - 1 <= missing <= limit - remaining + limit / 60_000


@pytest.mark.parametrize("is_streamed", [False, True])
def test_an_answer_says_what_is_left_whole_and_streamed(stack: Stack, is_streamed: bool) -> None:
    quota = ("--requests-per-minute", "4", "--tokens-per-minute", "100000")
    with client_of(stack, *quota) as client:
        raw = client.chat.completions.with_raw_response.create(model=stack.model, stream=is_streamed, **SHORT)
        check_requests(raw.headers, limit=4, remaining=3)
        assert raw.headers["x-ratelimit-limit-tokens"] == "100000"
        left = int(raw.headers["x-ratelimit-remaining-tokens"])
        assert 99_000 < left < 100_000


def test_a_refusal_says_what_is_left_and_who_waits_so_long_is_served(stack: Stack) -> None:
    with client_of(stack, "--requests-per-minute", "30") as client:
        left: list[str] = []
        with pytest.raises(openai.RateLimitError) as refusal:
            use_up_requests(client, stack.model, left)
        assert left[-1] == "0"
        headers = refusal.value.response.headers
        check_requests(headers, limit=30, remaining=0)
        wait_seconds = int(headers["retry-after-ms"]) / 1000
        assert 0 < wait_seconds <= 2
        assert 0 <= int(headers["retry-after"]) - wait_seconds < 1
        time.sleep(wait_seconds)
        client.chat.completions.create(model=stack.model, **SHORT)
