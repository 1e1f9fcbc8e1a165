"""The client says the needs of a request as the edge does, so both are placed alike."""

from typing import Any

import pytest
from comptoir.client.chat import Chat, Order, next_offer_request
from comptoir.client.needs import needs_of
from comptoir.generator.v1.generator_pb2 import (
    TOOL_USE_NONE,
    ReasoningEffort,
    Sampling,
    Structure,
    TemplateOptions,
    Tool,
    Tools,
)
from comptoir.router.v1.router_pb2 import ENGINE_FEATURE_LOGPROBS, AdmitResponse, EngineFeature
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.generation import Form, GenerationRequest, Message, Role
from services.edge.domain.needs import needs_of as needs_at_the_edge
from services.edge.domain.ports import Offer
from services.edge.domain.tools import Tool as EdgeTool
from services.edge.domain.tools import Tools as EdgeTools
from services.edge.domain.tools import ToolUse
from services.edge.wire.asked import generate_steps
from services.kernel.engine_features import OF_EFFORT
from services.kernel.steps import finished

OFFER = Offer("127.0.0.1:1", b"", b"", 1)
SAMPLING = st.fixed_dictionaries(
    {},
    optional={
        "logprobs": st.integers(0, 2),
        "thinking_token_budget": st.integers(0, 2),
        "min_tokens": st.integers(0, 2),
        "stop_token_ids": st.lists(st.integers(0, 9), max_size=2).map(tuple),
        "temperature": st.just(0.5),
    },
)
FORMS = st.sampled_from([Form(), Form(json_schema="{}"), Form(texts=("a", "b")), Form(pattern="a")])
TOOLS = st.none() | st.builds(EdgeTools, st.just((EdgeTool("weather"),)), st.sampled_from(ToolUse))
EFFORTS = st.sampled_from(["", *OF_EFFORT])


@given(SAMPLING, FORMS, TOOLS, EFFORTS)
def test_what_the_edge_asks_of_a_replica_needs_what_the_edge_said(
    sampling: dict[str, Any], form: Form, tools: EdgeTools | None, effort: str
) -> None:
    request = GenerationRequest(
        "m",
        (Message(Role.USER, "a"),),
        sampling=sampling,
        form=form,
        tools=tools,
        reasoning_effort=effort,
    )
    asked = finished(generate_steps(OFFER, request))
    assert needs_of(asked) == int(needs_at_the_edge(request))


CHATS: list[tuple[Chat, list[str]]] = [
    ({"model": "m", "prompt": "a"}, []),
    ({"model": "m", "prompt": "a", "returns_token_ids": True}, ["OUTPUT_TOKEN_IDS"]),
    ({"model": "m", "prompt": "a", "sampling": Sampling(logprobs=0)}, ["LOGPROBS"]),
    ({"model": "m", "prompt": "a", "structure": Structure(pattern="a")}, ["PATTERN"]),
    ({"model": "m", "prompt": "a", "tools": Tools(tools=[Tool(name="w")])}, ["TOOLS"]),
    ({"model": "m", "prompt": "a", "tools": Tools(tools=[Tool(name="w")], use=TOOL_USE_NONE)}, []),
    (
        {
            "model": "m",
            "prompt": "a",
            "template": TemplateOptions(reasoning_effort=ReasoningEffort.Value("REASONING_EFFORT_LOW")),
        },
        ["EFFORT_LOW"],
    ),
]


@pytest.mark.parametrize(("chat", "needs"), CHATS)
def test_an_admission_and_each_further_ticket_say_what_is_needed(chat: Chat, needs: list[str]) -> None:
    order = Order(chat, is_streamed=False)
    said = sum(EngineFeature.Value(f"ENGINE_FEATURE_{name}") for name in needs)
    assert order.admit_request("key").needs == said
    assert next_offer_request("key", AdmitResponse(), order).needs == said


def test_a_hedge_says_it_too() -> None:
    order = Order({"model": "m", "prompt": "a", "sampling": Sampling(logprobs=1)}, is_streamed=True)
    asked = next_offer_request("key", AdmitResponse(), order, is_hedge=True)
    assert (asked.needs, asked.is_hedge) == (ENGINE_FEATURE_LOGPROBS, True)
