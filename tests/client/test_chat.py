"""What is asked for, in messages: bounds as the edge's, and nothing that the caller did not say."""

from typing import Any

import pytest
from comptoir.client import ChatMessage, Sampling, Tool, ToolCall, Tools, assistant, system, tool, user
from comptoir.client.chat import Deadline, Order, prompt_tokens_upper_bound
from comptoir.generator.v1.generator_pb2 import ROLE_ASSISTANT, ROLE_SYSTEM, ROLE_USER
from comptoir.router.v1.router_pb2 import AdmitRequest, TicketOffer
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.generation import GenerationRequest, Message, Role
from services.edge.domain.tools import Tool as EdgeTool
from services.edge.domain.tools import ToolCall as EdgeCall
from services.edge.domain.tools import Tools as EdgeTools
from services.runtime.grpc.interceptors import validate
from tests.client.stage import chat

PARTS = st.lists(st.text(), min_size=1, max_size=3)


@given(st.lists(PARTS, min_size=1, max_size=4))
def test_as_many_tokens_are_asked_for_as_the_edge_asks_for(chats: list[list[str]]) -> None:
    messages = tuple(Message.of_parts(Role.USER, tuple(parts)) for parts in chats)
    edges = GenerationRequest("m", messages).prompt_tokens_upper_bound
    assert prompt_tokens_upper_bound([user(*parts) for parts in chats]) == edges


@given(st.text(max_size=9), st.text(max_size=9), st.text(max_size=9))
def test_what_is_said_of_tools_counts_as_at_the_edge(description: str, schema: str, arguments: str) -> None:
    call = ToolCall(call_id="c", name="f", arguments=arguments)
    messages = [user("a"), assistant(tool_calls=[call]), tool(call, "b")]
    tools = Tools(tools=[Tool(name="f", description=description, parameters_schema=schema)])
    order = Order({"model": "m", "messages": messages, "tools": tools}, is_streamed=True)
    turns = (
        Message(Role.USER, "a"),
        Message(Role.ASSISTANT, "", tool_calls=(EdgeCall("c", "f", arguments),)),
        Message(Role.TOOL, "b", tool_call_id="c"),
    )
    edges = GenerationRequest("m", turns, tools=EdgeTools((EdgeTool("f", description, schema),)))
    assert order.admit_request("key").prompt_tokens_upper_bound == edges.prompt_tokens_upper_bound
    assert order.generate_request(TicketOffer()).messages[2].tool_call_id == "c"


def test_parts_without_their_text_count_too() -> None:
    assert prompt_tokens_upper_bound([ChatMessage(role=ROLE_USER, parts=["é", "b"])]) == 64 + 16 + 4


@given(st.text(), st.lists(st.integers(0, 9), min_size=1), st.booleans())
def test_a_prompt_is_asked_for_as_the_edge_asks_for_it(text: str, ids: list[int], is_echoed: bool) -> None:
    offer = TicketOffer()
    for prompt in (text, ids):
        order = Order({"model": "m", "prompt": prompt, "is_prompt_echoed": is_echoed}, is_streamed=True)
        edges = GenerationRequest("m", (), prompt=prompt if isinstance(prompt, str) else tuple(prompt))
        assert order.admit_request("key").prompt_tokens_upper_bound == edges.prompt_tokens_upper_bound
        sent = order.generate_request(offer).prompt
        assert (list(sent.token_ids.ids) or sent.text, sent.is_echoed) == (prompt, is_echoed)


@pytest.mark.parametrize("asked", [{}, {"messages": []}, {"messages": [user("a")], "prompt": "b"}])
def test_a_request_has_messages_or_a_prompt(asked: dict[str, Any]) -> None:
    request: Any = {"model": "m", **asked}
    with pytest.raises(ValueError, match="messages or a prompt"):
        Order(request, is_streamed=True)


@pytest.mark.parametrize(
    ("turn", "role"), [(system, ROLE_SYSTEM), (user, ROLE_USER), (assistant, ROLE_ASSISTANT)]
)
def test_a_turn_is_one_text_or_several_parts(turn: object, role: int) -> None:
    assert callable(turn)
    assert turn("a") == ChatMessage(role=role, text="a")  # type: ignore[arg-type]
    assert turn("a", "b") == ChatMessage(role=role, text="a\nb", parts=["a", "b"])  # type: ignore[arg-type]


def test_requests_keep_the_rules_of_their_schema() -> None:
    validate(Order(chat(), is_streamed=True).admit_request("key"))


@pytest.mark.parametrize(
    ("fields", "most"),
    [({}, 0), ({"max_output_tokens": 7}, 7), ({"sampling": Sampling(max_output_tokens=9)}, 9)],
)
def test_what_is_reserved_is_what_the_caller_names_wherever_it_does(
    fields: dict[str, object], most: int
) -> None:
    assert Order(chat(**fields), is_streamed=True).admit_request("key").max_output_tokens == most


def test_each_attempt_is_the_same_request_with_its_own_ticket() -> None:
    order = Order(chat(), is_streamed=True)
    offers = [TicketOffer(), TicketOffer()]
    offers[1].ticket.claims = b"2"
    first, second = (order.generate_request(offer) for offer in offers)
    assert (first.ticket.claims, second.ticket.claims) == (b"", b"2")
    assert list(first.messages) == list(second.messages)
    assert isinstance(order.admit_request("key"), AdmitRequest)


def test_a_deadline_is_never_less_than_over() -> None:
    times = iter([100.0, 101.5, 103.0])
    deadline = Deadline(2.0, lambda: next(times))
    assert (deadline.left_seconds, deadline.left_seconds) == (0.5, 0.0)


def test_time_runs_from_the_moment_that_it_is_begun() -> None:
    order = Order(chat(timeout_seconds=50.0), is_streamed=True)
    order.begin()
    assert 49 < order.left_seconds <= 50
