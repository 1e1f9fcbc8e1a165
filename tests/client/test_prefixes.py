"""A client's digests of how a prompt begins are those of an edge with the same secret, and of nobody else."""

import pytest
from comptoir.client.chat import Order, assistant, system, tool, user
from comptoir.client.prefixes import PrefixDigests
from comptoir.generator.v1.generator_pb2 import (
    REASONING_EFFORT_HIGH,
    GenerateRequest,
    Prompt,
    TemplateOptions,
    TemplateValue,
    TokenIds,
    ToolCall,
)
from comptoir.generator.v1.generator_pb2 import Tool as SentTool
from comptoir.generator.v1.generator_pb2 import Tools as SentTools

from services.edge.domain.generation import GenerationRequest, Message, Role
from services.edge.domain.prefixes import PrefixDigests as EdgeDigests
from services.edge.domain.tools import Tool, Tools
from services.edge.domain.tools import ToolCall as EdgeCall

SECRET = b"s" * 32
TEXT = "Übung macht den Meister. " * 200
CALL = ToolCall(call_id="call_1", name="find", arguments='{"what": "x"}')
SENT = GenerateRequest(
    messages=[system(TEXT), user("a" * 900, "b" * 900), assistant(tool_calls=[CALL]), tool(CALL, "found")],
    tools=SentTools(tools=[SentTool(name="find", description="Finds", parameters_schema="{}")]),
    template=TemplateOptions(
        reasoning_effort=REASONING_EFFORT_HIGH,
        arguments={"thinks": TemplateValue(flag=True), "budget": TemplateValue(number=7)},
    ),
)
SAME = GenerationRequest(
    "m",
    (
        Message(Role.SYSTEM, TEXT),
        Message.of_parts(Role.USER, ("a" * 900, "b" * 900)),
        Message(Role.ASSISTANT, "", tool_calls=(EdgeCall("call_1", "find", '{"what": "x"}'),)),
        Message(Role.TOOL, "found", tool_call_id="call_1"),
    ),
    tools=Tools((Tool("find", "Finds", "{}"),)),
    reasoning_effort="high",
    template_arguments={"thinks": True, "budget": 7},
)


@pytest.mark.parametrize(
    ("sent", "same"),
    [
        (SENT, SAME),
        (GenerateRequest(messages=[user(TEXT)]), GenerationRequest("m", (Message(Role.USER, TEXT),))),
        (GenerateRequest(prompt=Prompt(text=TEXT)), GenerationRequest("m", (), prompt=TEXT)),
        (
            GenerateRequest(prompt=Prompt(token_ids=TokenIds(ids=range(40_000)))),
            GenerationRequest("m", (), prompt=tuple(range(40_000))),
        ),
    ],
    ids=["chat", "one turn", "text", "ids"],
)
def test_client_and_edge_agree_with_one_secret_and_key(
    sent: GenerateRequest, same: GenerationRequest
) -> None:
    digests = PrefixDigests("key", SECRET).of(sent)
    assert len(digests) >= 6
    assert digests == EdgeDigests(SECRET).of("key", same)
    assert not {*digests} & {*PrefixDigests("other", SECRET).of(sent)}
    assert not {*digests} & {*PrefixDigests("key").of(sent)}


def test_a_secret_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        PrefixDigests("key", b"short")


def test_what_the_router_is_asked_holds_them() -> None:
    prefixes = PrefixDigests("key", SECRET)
    order = Order({"model": "m", "messages": [user(TEXT)]}, is_streamed=True, prefixes=prefixes)
    assert [*order.admit_request("key").prefix_digests] == prefixes.of(GenerateRequest(messages=[user(TEXT)]))
