"""How many tokens a prompt has: one question to the router, and one to a replica."""

import pytest
from comptoir.client import ComptoirError, ErrorReason, user
from comptoir.client.counting import CountOrder
from comptoir.generator.v1.generator_pb2 import TemplateOptions, TemplateValue, Tool, Tools
from comptoir.router.v1.router_pb2 import TicketOffer

from services.kernel.errors import ComptoirError as Refusal
from services.kernel.errors import Reason
from services.runtime.grpc.interceptors import validate
from tests.client.stage import CANARY, MODEL, Caller, Stage
from tests.services.edge.scripts import GeneratorScript

MESSAGES = [user(f"Bonjour {CANARY}")]


async def test_a_chat_or_a_text_is_counted(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript(input_tokens=7))
    assert await caller.count(model=MODEL, messages=MESSAGES) == 7
    assert await caller.count(model=MODEL, text="é") == 7
    assert stage.replicas[0].script.texts == [f"Bonjour {CANARY}", "é"]
    assert stage.script.upper_bounds == [64 + 16 + len(MESSAGES[0].text), 64 + 2]
    assert not stage.script.released


async def test_a_replica_that_cannot_be_reached_is_worth_another_try(stage: Stage, caller: Caller) -> None:
    await stage.start()
    stage.script.addresses.append("unix:/nowhere/at-all")
    with pytest.raises(ComptoirError) as raised:
        await caller.count(model=MODEL, messages=MESSAGES)
    assert raised.value.reason == ErrorReason.ERROR_REASON_UNAVAILABLE
    assert raised.value.is_retryable


async def test_an_address_that_may_not_be_called_is_not(stage: Stage, caller: Caller) -> None:
    await stage.start()
    stage.script.addresses.append("192.0.2.1:8402")
    with pytest.raises(ComptoirError) as raised:
        await caller.count(model=MODEL, messages=MESSAGES)
    assert raised.value.reason == ErrorReason.ERROR_REASON_UNAVAILABLE


async def test_the_replicas_refusal_is_raised(stage: Stage, caller: Caller) -> None:
    long = GeneratorScript(before_started=[Refusal(Reason.CONTEXT_TOO_LONG)])
    await stage.start(long)
    with pytest.raises(ComptoirError) as raised:
        await caller.count(model=MODEL, messages=MESSAGES)
    assert raised.value.reason == ErrorReason.ERROR_REASON_CONTEXT_TOO_LONG


async def test_the_routers_refusal_is_raised(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript())
    stage.script.refusal = Refusal(Reason.REQUESTS_EXHAUSTED, retry_after_seconds=2)
    with pytest.raises(ComptoirError) as raised:
        await caller.count(model=MODEL, messages=MESSAGES)
    assert raised.value.reason == ErrorReason.ERROR_REASON_REQUESTS_EXHAUSTED
    assert raised.value.retry_after_seconds == 2


def test_requests_keep_the_rules_of_their_schema() -> None:
    order = CountOrder({"model": MODEL, "text": "a"})
    validate(order.admit_request("key"))
    offer = TicketOffer()
    offer.ticket.claims, offer.ticket.signature, offer.ticket.signing_key_number = b"1", bytes(64), 1
    validate(order.count_request(offer))
    assert order.count_request(offer).text == "a"


def test_a_chat_is_counted_with_its_tools_and_what_its_template_is_told() -> None:
    tools = Tools(tools=[Tool(name="clock", description="é", parameters_schema='{"type": "object"}')])
    template = TemplateOptions(arguments={"enable_thinking": TemplateValue(flag=True)})
    order = CountOrder({"model": MODEL, "messages": MESSAGES, "tools": tools, "template": template})
    plain = CountOrder({"model": MODEL, "messages": MESSAGES})
    count = order.count_request(TicketOffer())
    assert (count.tools, count.template) == (tools, template)
    bound, without = (each.admit_request("key").prompt_tokens_upper_bound for each in (order, plain))
    assert bound - without == 64 + 3 * len('clocké{"type": "object"}'.encode())
