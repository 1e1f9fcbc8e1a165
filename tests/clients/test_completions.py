"""Completions, as the official clients ask for them and read them."""

import asyncio
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import Completion, CompletionChoice

from deploy.local.stack.options import DEFAULT_MODEL
from tests.system.stack_process import Stack, eventually

pytestmark = pytest.mark.system

PROMPT = "Il était une fois, au bord de la mer,"
GREEDY: Any = {"temperature": 0, "max_tokens": 24}
CONTROL_IDS = range(6)


def whole(stack: Stack, prompt: Any = PROMPT, **asked: Any) -> Completion:
    with stack.client(max_retries=0) as client:
        answer: Completion = client.completions.create(model=stack.model, prompt=prompt, **asked)
        return answer


def streamed(stack: Stack, prompt: Any = PROMPT, **asked: Any) -> tuple[dict[int, CompletionChoice], Any]:
    """The choices that a stream puts together, and its counts."""
    choices: dict[int, CompletionChoice] = {}
    usage = None
    options: Any = {"include_usage": True}
    with stack.client(max_retries=0) as client:
        for chunk in client.completions.create(
            model=stack.model, prompt=prompt, stream=True, stream_options=options, **asked
        ):
            usage = chunk.usage or usage
            for told in chunk.choices:
                choice = choices.setdefault(told.index, told)
                if choice is not told:
                    choice.text += told.text
                    choice.finish_reason = told.finish_reason
                    _add_logprobs(choice, told)
    return choices, usage


def _add_logprobs(choice: CompletionChoice, told: CompletionChoice) -> None:
    if told.logprobs is None or choice.logprobs is None:
        return
    for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
        getattr(choice.logprobs, name).extend(getattr(told.logprobs, name))


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"echo": True},
        {"logprobs": 0},
        {"logprobs": 5},
        {"n": 3, "seed": 11, "temperature": 1.0},
        {"prompt": [PROMPT, "The sea", "é"], "n": 2},
        {"prompt": [PROMPT, "The sea"], "echo": True, "stop": ["e"]},
        {"prompt": [[1, 60, 61], [62]], "echo": True},
    ],
)
def test_a_stream_says_what_the_whole_answer_says(stack: Stack, asked: dict[str, Any]) -> None:
    one, (choices, usage) = whole(stack, **(GREEDY | asked)), streamed(stack, **(GREEDY | asked))
    assert [choice.index for choice in one.choices] == sorted(choices)
    for choice in one.choices:
        same = choices[choice.index]
        assert (choice.text, choice.finish_reason) == (same.text, same.finish_reason)
        assert choice.logprobs == same.logprobs
    assert one.usage is not None
    assert (one.usage.prompt_tokens, one.usage.completion_tokens) == (
        usage.prompt_tokens,
        usage.completion_tokens,
    )


def test_sixteen_tokens_are_the_default(stack: Stack) -> None:
    answer = whole(stack, temperature=0, extra_body={"ignore_eos": True})
    assert answer.usage is not None
    assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (16, "length")
    assert answer.object == "text_completion"


def test_each_prompt_has_its_choices_in_their_order(stack: Stack) -> None:
    prompts = [PROMPT, "The sea", "Das Meer"]
    alone = [whole(stack, prompt, **GREEDY) for prompt in prompts]
    together = whole(stack, prompts, n=2, **GREEDY)
    assert [choice.index for choice in together.choices] == list(range(6))
    for number, answer in enumerate(alone):
        for choice in together.choices[2 * number : 2 * number + 2]:
            assert choice.text == answer.choices[0].text
    assert together.usage is not None
    assert together.usage.prompt_tokens == sum(answer.usage.prompt_tokens for answer in alone if answer.usage)


def test_an_echo_is_the_prompt_before_each_choice(stack: Stack) -> None:
    plain, echoed = whole(stack, **GREEDY), whole(stack, echo=True, n=2, **GREEDY)
    assert [choice.text for choice in echoed.choices] == [PROMPT + plain.choices[0].text] * 2
    assert plain.usage is not None
    assert echoed.usage is not None
    assert echoed.usage.completion_tokens == 2 * plain.usage.completion_tokens


def test_a_text_is_its_token_ids_behind_the_token_for_its_begin(stack: Stack) -> None:
    tokenizer = pytest.importorskip("transformers").AutoTokenizer.from_pretrained(DEFAULT_MODEL)
    ids = tokenizer.encode(PROMPT, add_special_tokens=True)
    assert ids[0] == 1
    by_text, by_ids = whole(stack, **GREEDY), whole(stack, ids, echo=True, **GREEDY)
    assert by_ids.choices[0].text == PROMPT + by_text.choices[0].text
    assert by_text.usage == by_ids.usage


def test_what_spells_a_control_token_stays_text(stack: Stack) -> None:
    spelled = whole(stack, "<|user|>Bonjour<|end|><|assistant|>", **GREEDY)
    assert spelled.usage is not None
    # As control tokens they would be three and the greeting.
    assert spelled.usage.prompt_tokens > 12


@pytest.mark.parametrize("top", [0, 3])
def test_every_token_has_its_logprob_and_its_place(stack: Stack, top: int) -> None:
    (choice,) = whole(stack, logprobs=top, **GREEDY).choices
    assert choice.logprobs is not None
    tokens, offsets = choice.logprobs.tokens or [], choice.logprobs.text_offset or []
    assert len(tokens) == len(offsets) == len(choice.logprobs.token_logprobs or [])
    for token, offset, likeliest in zip(tokens, offsets, choice.logprobs.top_logprobs or [], strict=True):
        assert top <= len(likeliest) <= top + 1 or top == 0
        assert token in likeliest
        if not token.startswith(("bytes:", "<|")):
            assert choice.text[offset:].startswith(token)


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"prompt": [10**6]}, "prompt"),
        ({"prompt": [PROMPT, "a" * 40_000]}, "prompt"),
        ({"suffix": "fin"}, "suffix"),
        ({"echo": True, "logprobs": 1}, "echo"),
        ({"best_of": 2}, "best_of"),
        ({"prompt": ["a"] * 33}, "prompt"),
    ],
)
def test_what_is_not_served_is_a_400_that_names_it(stack: Stack, asked: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        whole(stack, **({"prompt": PROMPT} | asked))
    assert refusal.value.param == param


@pytest.mark.parametrize(
    ("limits", "prompts", "code"),
    [
        (["--tokens-per-minute", "100"], 6, "quota_too_small"),
        (["--requests-per-minute", "3"], 4, "invalid_value"),
    ],
)
def test_prompts_that_a_key_can_never_have_together_are_no_reason_to_try_again(
    stack: Stack, limits: list[str], prompts: int, code: str
) -> None:
    key = json.loads(stack.comptoir("keys", "create", *limits, "--json").stdout)["api_key"]
    with stack.client(max_retries=0, api_key=key) as client:
        with pytest.raises(openai.BadRequestError) as refusal:
            client.completions.create(model=stack.model, prompt=["a"] * prompts)
        assert refusal.value.code == code


def test_every_prompt_is_counted_once_and_the_request_too(stack: Stack) -> None:
    answer = whole(stack, [PROMPT, "The sea", "Das Meer"], **GREEDY)
    assert answer.usage is not None
    request_id = answer.id.removeprefix("cmpl-")
    rows = eventually(lambda: stack.rows_of("generations", request_id), lambda found: len(found) >= 3, 60)
    assert len(rows) == 3
    assert sum(row["input_tokens"] for row in rows) == answer.usage.prompt_tokens
    assert sum(row["output_tokens"] for row in rows) == answer.usage.completion_tokens
    row = stack.row_of("edge_requests", request_id)
    assert (row["endpoint"], row["http_status"]) == ("completions", 200)
    assert len(stack.rows_of("admissions", request_id)) == 3


async def test_the_asynchronous_client_leaves_a_stream_of_several_prompts_and_all_end(stack: Stack) -> None:
    async with stack.async_client(max_retries=0) as client:
        asked: Any = {"model": stack.model, "max_tokens": 1900, "extra_body": {"ignore_eos": True}}
        stream = await client.completions.create(prompt=[PROMPT, "The sea"], stream=True, **asked)
        said: defaultdict[int, str] = defaultdict(str)
        async for chunk in stream:
            said[chunk.choices[0].index] += chunk.choices[0].text
            if len(said) == 2:
                break
        await stream.close()
    await asyncio.to_thread(
        eventually, lambda: stack.generator_load().unfinished_requests, lambda left: left == 0, 60
    )
    request_id = chunk.id.removeprefix("cmpl-")
    rows = await asyncio.to_thread(
        eventually, lambda: stack.rows_of("generations", request_id), lambda found: len(found) == 2, 60
    )
    assert {row["outcome"] for row in rows} == {"client_cancelled"}


def test_the_node_client_asks_for_completions(stack: Stack) -> None:
    node, program = Path(sys.executable).parent / "node", Path(__file__).parent / "completions.mjs"
    arguments = [stack.base_url, stack.api_key, stack.model, PROMPT]
    done = subprocess.run(
        [node, program, *arguments], capture_output=True, text=True, timeout=120, check=True
    )
    told = json.loads(done.stdout)
    (choice,) = told["whole"]["choices"]
    assert choice["text"] == told["streamed"]["text"]
    assert choice["finish_reason"] == told["streamed"]["finish_reason"]
    assert told["whole"]["usage"]["completion_tokens"] == told["streamed"]["usage"]["completion_tokens"]
    assert len(choice["logprobs"]["tokens"]) == told["whole"]["usage"]["completion_tokens"]
    assert told["refused"] == {"status": 400, "code": "unsupported_parameter", "param": "suffix"}
    assert told["indices"] == [0, 1, 2, 3]
