"""What a service reads as a stream over gRPC is the whole answer, whatever it asks for."""

import json
from typing import Any, Final

import pytest
from comptoir.client import Client, ComptoirError, user
from comptoir.client.answers import Choice, choices_of
from comptoir.generator.v1.generator_pb2 import Finished, Sampling, Structure
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.clients.test_streams_and_answers import OPENING, SAMPLING
from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

_STRUCTURES: Final = [Structure(json_schema=json.dumps(OPENING)), Structure(json_schema='{"type": "object"}')]
_PROMPTS: Final[list[dict[str, Any]]] = [
    {"messages": [user("Écris un mot sur la mer. 🌊")]},
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
    told = [(choice.text, [token.chosen.token for token in choice.tokens]) for choice in choices]
    reasons = [finished.finish_reason, *finished.finish_reasons]
    return told, finished.input_tokens, finished.output_tokens, reasons


@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(chat=CHATS)
def test_the_stream_of_any_request_is_its_whole_answer(stack: Stack, chat: dict[str, Any]) -> None:
    with Client(stack.description["grpc"]["router"], api_key=stack.api_key) as client:
        request = {"model": stack.model, **chat}
        assert streamed(client, request) == whole(client, request)
