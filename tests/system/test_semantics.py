"""What a request means and what a refusal says, to the official clients of Python and Node."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import openai
import pytest
from comptoir.error.v1 import error_reason_pb2
from comptoir.router.v1 import router_pb2, router_pb2_grpc

from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

HELLO: Any = [{"role": "user", "content": "Bonjour"}]
NODE_CLIENT = Path(__file__).parent / "node" / "chat.mjs"
# Two retries of a 429 with a wait of a minute take two minutes.
AT_ONCE_SECONDS = 20


def _key(stack: Stack, *limits: str) -> str:
    return str(json.loads(stack.comptoir("keys", "create", *limits, "--json").stdout)["api_key"])


def _node(stack: Stack, *, key: str, mode: str, prompt: str) -> dict[str, Any]:
    program = [Path(sys.executable).parent / "node", NODE_CLIENT]
    arguments = [stack.base_url, key, stack.model, mode, prompt]
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=150, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_more_than_a_minutes_tokens_fails_at_once_and_says_what_to_set(stack: Stack) -> None:
    key = _key(stack, "--tokens-per-minute", "500")
    began = time.monotonic()
    with stack.client(api_key=key) as client:  # with its two retries
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=stack.model, messages=HELLO, max_completion_tokens=1_000)
        assert time.monotonic() - began < AT_ONCE_SECONDS
        assert caught.value.code == "quota_too_small"
        most = re.search(
            r"Limit 500, Requested \d+.*max_completion_tokens to at most (\d+)", caught.value.message
        )
        assert most is not None
        fitting = int(most[1])
        client.chat.completions.create(model=stack.model, messages=HELLO, max_completion_tokens=fitting)


def test_the_node_client_fails_at_once_too(stack: Stack) -> None:
    key = _key(stack, "--tokens-per-minute", "100")
    began = time.monotonic()
    error = _node(stack, key=key, mode="refused", prompt="Bonjour")
    assert time.monotonic() - began < AT_ONCE_SECONDS
    assert (error["kind"], error["status"], error["code"]) == ("BadRequestError", 400, "quota_too_small")
    assert "Limit 100" in error["message"]


def test_a_caller_of_grpc_gets_the_same_numbers(stack: Stack) -> None:
    key = _key(stack, "--tokens-per-minute", "500")
    request = router_pb2.AdmitRequest(
        api_key=key, model=stack.model, prompt_tokens_upper_bound=100, max_output_tokens=2**32 - 1
    )
    with (
        grpc.insecure_channel(stack.description["grpc"]["router"]) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        router_pb2_grpc.RouterServiceStub(channel).Admit(request, timeout=30)
    failure: Any = caught.value
    assert failure.code() is grpc.StatusCode.INVALID_ARGUMENT
    detail = error_reason_pb2.ErrorDetail.FromString(dict(failure.trailing_metadata())["comptoir-error-bin"])
    assert detail.reason == error_reason_pb2.ERROR_REASON_QUOTA_TOO_SMALL
    assert (detail.limit, detail.available, detail.is_retryable) == (500, 400, False)


def test_a_spent_quota_says_which_limit_and_when_it_is_over(stack: Stack) -> None:
    key = _key(stack, "--requests-per-minute", "1")
    with stack.client(max_retries=0, api_key=key) as client:
        client.chat.completions.create(model=stack.model, messages=HELLO, max_completion_tokens=2)
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model=stack.model, messages=HELLO)
    assert re.search(r"requests per min \(RPM\): Limit 1, Used 1.*try again in \d", caught.value.message)
    assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "0"


@pytest.mark.parametrize("limit", [2_047, 2_048, 2_049, 1_000_000, 2**31 - 1, -1, 0, None])
def test_a_limit_as_large_as_one_likes_is_cut_to_what_fits(stack: Stack, limit: int | None) -> None:
    with stack.client(max_retries=0) as client:
        answer = client.chat.completions.create(
            model=stack.model, messages=HELLO, max_tokens=limit, temperature=0
        )
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert answer.usage.total_tokens <= 2_048


def test_an_overflow_has_the_words_and_numbers_that_programs_look_for(stack: Stack) -> None:
    long: Any = [{"role": "user", "content": "bonjour " * 3_000}]
    with stack.client(max_retries=0) as client, pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=stack.model, messages=long)
    found = re.search(
        r"maximum context length is (\d+) tokens.*resulted in (\d+) tokens", caught.value.message
    )
    assert found is not None
    assert int(found[1]) < int(found[2])
    assert "reduce the length of the messages" in caught.value.message


def test_text_parts_stand_on_lines_of_their_own(stack: Stack) -> None:
    words = ["Hello", "world"] * 8
    parts: Any = [{"type": "text", "text": word} for word in words]
    texts = []
    with stack.client(max_retries=0) as client:
        for content in (parts, "\n".join(words), "".join(words)):
            messages: Any = [{"role": "user", "content": content}]
            answer = client.chat.completions.create(
                model=stack.model, messages=messages, temperature=0, max_completion_tokens=16
            )
            assert answer.usage is not None
            texts.append((answer.usage.prompt_tokens, answer.choices[0].message.content))
    assert texts[0] == texts[1]
    assert texts[0][0] > texts[2][0]


@pytest.mark.parametrize("alone", [{"top_k": 1}, {"min_p": 1}, {"top_k": 1, "repetition_penalty": 1}])
def test_a_choice_of_one_token_is_the_greedy_one_through_every_process(
    stack: Stack, alone: dict[str, float]
) -> None:
    with stack.client() as client:
        greedy, chosen = (
            client.chat.completions.create(
                model=stack.model,
                messages=HELLO,
                max_completion_tokens=24,
                temperature=temperature,
                extra_body=extra,
            )
            for temperature, extra in ((0, {}), (1, alone))
        )
    assert chosen.choices[0].message.content == greedy.choices[0].message.content
