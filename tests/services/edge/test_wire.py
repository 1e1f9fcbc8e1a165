from typing import get_args

import pytest
from comptoir.generator.v1.generator_pb2 import ReasoningEffort
from comptoir.router.v1 import router_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.edge import wire
from services.edge.documents import decode_json
from services.edge.domain.generation import GenerationRequest, Message, Role
from services.edge.domain.openai.chat.request import parse_chat
from services.edge.domain.openai.completions.request import parse_completion
from services.edge.domain.openai.embeddings.request import parse_embeddings
from services.edge.domain.openai.responses.request import parse_response
from services.edge.domain.ports import Offer
from services.edge.wire.asked import count_steps, generate_steps
from services.kernel.chat_templates import Effort
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.steps import finished
from services.runtime.grpc.interceptors import validate

OFFER = Offer("127.0.0.1:1", b"claims", bytes(64), 1)


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_a_refusal_without_a_cause(document: bytes) -> None:
    try:
        decode_json(document)
    except ComptoirError as error:
        assert error.reason is Reason.REQUEST_INVALID  # noqa: PT017
        assert error.__cause__ is None  # noqa: PT017
        assert str(error) == "REQUEST_INVALID"  # noqa: PT017


@given(st.text(st.sampled_from('{}[]":,\\ a1'), max_size=40))
def test_any_punctuation_is_json_or_a_refusal(document: str) -> None:
    try:
        decode_json(document.encode())
    except ComptoirError as error:
        assert error.reason is Reason.REQUEST_INVALID  # noqa: PT017


@given(
    st.lists(st.builds(Message, st.sampled_from(Role), st.text()), min_size=1, max_size=4),
    st.none() | st.floats(0, 2),
    st.none() | st.integers(-(2**63), 2**63 - 1),
)
def test_every_chat_makes_messages_that_obey_the_schemas(
    messages: list[Message], temperature: float | None, seed: int | None
) -> None:
    asked = {"temperature": temperature, "seed": seed}
    sampling = {name: value for name, value in asked.items() if value is not None}
    chat = GenerationRequest("m", tuple(messages), sampling=sampling)
    request = finished(generate_steps(OFFER, chat))
    validate(request)
    validate(wire.admit_request("key", chat, Identity(1, 2)))
    assert [message.text for message in request.messages] == [message.text for message in messages]
    assert request.sampling.HasField("temperature") is (temperature is not None)
    assert request.sampling.HasField("seed") is (seed is not None)


def test_parts_travel_as_parts_beside_a_text_for_replicas_that_know_none() -> None:
    parts = [{"type": "text", "text": text} for text in ("Hello", "world")]
    body = {"model": "m", "messages": [{"role": "user", "content": parts}, {"role": "user", "content": "x"}]}
    chat = parse_chat(body).generation
    first, second = finished(generate_steps(OFFER, chat)).messages
    assert (first.text, list(first.parts)) == ("Hello\nworld", ["Hello", "world"])
    assert (second.text, list(second.parts)) == ("x", [])
    assert chat.prompt_tokens_upper_bound == 11 + 1 + 2 * 16 + 64


@pytest.mark.parametrize("top_p", [0, 1])
def test_the_edges_of_ranges_obey_the_schema(top_p: int) -> None:
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": ""}],
        "top_p": top_p,
        "temperature": 2,
        "max_tokens": 1_048_576,
        "stop": ["€" * 85],
    }
    validate(finished(generate_steps(OFFER, parse_chat(body).generation)))


@pytest.mark.parametrize("effort", get_args(Effort))
def test_every_effort_that_a_catalog_may_have_reaches_the_replica(effort: str) -> None:
    body = {"messages": [{"role": "user", "content": ""}], "reasoning_effort": effort}
    sent = finished(generate_steps(OFFER, parse_chat(body).generation))
    assert ReasoningEffort.Name(sent.template.reasoning_effort) == f"REASONING_EFFORT_{effort.upper()}"


def test_a_wish_above_the_model_s_cap_is_cut_by_the_router_s_ticket() -> None:
    chat = GenerationRequest("m", (Message(Role.USER, "x"),), max_output_tokens=1_000_000)
    assert wire.admit_request("key", chat, Identity(1, 2)).max_output_tokens == 1_000_000
    assert finished(generate_steps(OFFER, chat)).sampling.max_output_tokens == 0


def test_the_router_is_told_where_a_request_was_made() -> None:
    made = {
        "CHAT_COMPLETIONS": parse_chat({"messages": [{"role": "user", "content": "x"}]}).generation,
        "COMPLETIONS": parse_completion({"prompt": "x"}).generations[0],
        "RESPONSES": parse_response({"input": "x"}).generation,
        "EMBEDDINGS": parse_embeddings({"input": "x"}).generation,
    }
    for name, request in made.items():
        sent = wire.admit_request("key", request, Identity(1, 2))
        validate(sent)
        assert router_pb2.Endpoint.Name(sent.endpoint) == f"ENDPOINT_{name}"


@pytest.mark.parametrize("is_echoed", [True, False])
def test_a_prompt_reaches_the_replica_as_it_is(is_echoed: bool) -> None:
    for prompt in ("", "Il était", (5, 0)):
        request = GenerationRequest("m", (), prompt=prompt, is_prompt_echoed=is_echoed)
        sent = finished(generate_steps(OFFER, request))
        validate(sent)
        validate(wire.admit_request("key", request, Identity(1, 2)))
        assert sent.prompt.is_echoed is is_echoed
        assert (tuple(sent.prompt.token_ids.ids) or sent.prompt.text) == prompt


@given(
    tools=st.sampled_from([None, [{"type": "function", "function": {"name": "clock"}}]]), is_on=st.booleans()
)
def test_a_count_is_asked_of_all_that_an_answer_renders(tools: object, is_on: bool) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "é"}], "tools": tools}
    chat = parse_chat(body | {"reasoning_effort": "low", "enable_thinking": is_on}).generation
    counted = finished(count_steps(OFFER, chat, returns_ids=True))
    validate(counted)
    generated = finished(generate_steps(OFFER, chat))
    assert counted.messages == generated.messages
    assert (counted.tools, counted.template) == (generated.tools, generated.template)
