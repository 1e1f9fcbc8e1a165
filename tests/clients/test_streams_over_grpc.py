"""What a service reads as a stream over gRPC is the whole answer, whatever it asks for."""

import json
from typing import Any, Final

import pytest
from comptoir.client import Client, ComptoirError, user
from comptoir.client.answers import Choice, choices_of
from comptoir.generator.v1.generator_pb2 import (
    TOOL_USE_NONE,
    TOOL_USE_REQUIRED,
    TOOL_USE_UNSPECIFIED,
    Finished,
    ReasoningEffort,
    Sampling,
    Structure,
    TemplateOptions,
    TemplateValue,
    Tool,
    Tools,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.clients.test_streams_and_answers import OPENING, SAMPLING
from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

_STRUCTURES: Final = [Structure(json_schema=json.dumps(OPENING)), Structure(json_schema='{"type": "object"}')]
_CHAT: Final[dict[str, Any]] = {"messages": [user("Écris un mot sur la mer. 🌊")]}
_PROMPTS: Final[list[dict[str, Any]]] = [
    _CHAT,
    {"prompt": "Il était une fois"},
    {"prompt": [1, 60, 61], "is_prompt_echoed": True},
]


def _sampling(fields: dict[str, Any]) -> Sampling:
    stop, bias = fields.pop("stop", []), fields.pop("logit_bias", {})
    sampling = Sampling(temperature=0, stop=[stop] if isinstance(stop, str) else stop, **fields)
    for token_id, value in bias.items():
        sampling.logit_bias[int(token_id)] = value
    return sampling


CHATS: Final = st.builds(
    lambda prompt, tokens, sampling, more: {
        **prompt, "max_output_tokens": tokens, "sampling": sampling, **more
    },
    st.sampled_from(_PROMPTS),
    st.integers(4, 40),
    st.fixed_dictionaries({}, optional={**SAMPLING, "logprobs": st.integers(0, 4)}).map(_sampling),
    st.just({}) | st.sampled_from(_STRUCTURES).map(lambda structure: {"structure": structure}),
)  # fmt: skip

_TOOLS: Final = [
    Tool(name="opening", parameters_schema=json.dumps(OPENING)),
    Tool(name="nothing", parameters_schema='{"type": "object", "properties": {}}'),
]
_OFFERED: Final = st.builds(
    lambda use, permitted, is_one_call: {
        "tools": Tools(tools=_TOOLS, use=use, permitted=permitted, is_one_call=is_one_call)
    },
    st.sampled_from([TOOL_USE_UNSPECIFIED, TOOL_USE_NONE, TOOL_USE_REQUIRED]),
    st.sampled_from([[], ["opening"], ["nothing"]]),
    st.booleans(),
)
_TOLD: Final = st.sampled_from(ReasoningEffort.values()).map(
    lambda effort: TemplateOptions(reasoning_effort=effort)
) | st.booleans().map(lambda is_on: TemplateOptions(arguments={"enable_thinking": TemplateValue(flag=is_on)}))
THINKING: Final = st.builds(
    lambda chat, tools, template, budget: {
        **chat, **_CHAT, **tools, "template": template, "sampling": _bounded(chat["sampling"], budget)
    },
    CHATS.map(lambda chat: {name: chat[name] for name in chat if not name.startswith(("prompt", "is_"))}),
    st.just({}) | _OFFERED,
    _TOLD,
    st.none() | st.integers(0, 24),
)  # fmt: skip


def _bounded(sampling: Sampling, budget: int | None) -> Sampling:
    bounded = Sampling(thinking_token_budget=budget)
    bounded.MergeFrom(sampling)
    return bounded


def whole(client: Client, chat: dict[str, Any]) -> Any:
    try:
        answer = client.answer(**chat)
    except ComptoirError as refusal:
        return str(refusal)
    return said(answer.choices, answer.finished)


def streamed(client: Client, chat: dict[str, Any]) -> Any:
    try:
        with client.generate(**chat) as generation:
            deltas = list(generation)
    except ComptoirError as refusal:
        return str(refusal)
    return said(choices_of(deltas), generation.finished)


def said(choices: tuple[Choice, ...], finished: Finished) -> Any:
    told = [
        (
            choice.reasoning,
            choice.text,
            [(call.name, call.arguments) for call in choice.tool_calls],
            [token.chosen.token for token in choice.tokens],
            choice.token_ids,
        )
        for choice in choices
    ]
    # What was chosen is what is counted.
    assert sum(len(choice.token_ids) for choice in choices) == finished.output_tokens
    counts = (finished.input_tokens, finished.output_tokens, finished.reasoning_tokens)
    return told, counts, [finished.finish_reason, *finished.finish_reasons]


bounded = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def compare(stack: Stack, chat: dict[str, Any]) -> None:
    with Client(stack.description["grpc"]["router"], api_key=stack.api_key) as client:
        request = {"model": stack.model, "returns_token_ids": True, **chat}
        assert streamed(client, request) == whole(client, request)


@bounded
@given(chat=CHATS)
def test_the_stream_of_any_request_is_its_whole_answer(stack: Stack, chat: dict[str, Any]) -> None:
    compare(stack, chat)


@bounded
@given(chat=THINKING)
def test_the_stream_of_a_chat_that_thinks_and_calls_is_its_whole_answer(
    stack: Stack, chat: dict[str, Any]
) -> None:
    compare(stack, chat)
