"""A count needs a ticket that permits nothing else, is bounded, and leaves nothing behind."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from services.generator.domain.counting import MAX_OPEN, MAX_OPEN_OF_KEY, TURNS, CountOrder, TokenCounts
from services.generator.domain.ports import EngineFailedError, Feature
from services.generator.domain.prompt import Chat, ChatTurn, Role, Text
from services.generator.domain.template import TemplateOptions, TemplateRules
from services.generator.domain.tools import FORMATS, Tool, Tools
from services.kernel.chat_templates import EffortMeaning
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.rows import Retry
from tests.services.generator.domain.scripted_engine import ScriptedEngine
from tests.services.generator.domain.test_ticket import CLAIMS, gate

CHAT = Chat((ChatTurn(Role.USER, "Bonjour"),))


def order(number: int = 1, prompt: Chat | Text = CHAT, **claims: Any) -> CountOrder:
    permits = {"max_output_tokens": 0, "lease_id": Identity(0, 0), "ticket_id": Identity(1, number)}
    return CountOrder(replace(CLAIMS, **{**permits, **claims}), prompt)


def counts(engine: Any) -> TokenCounts:
    clock = ManualClock(wall_microseconds=CLAIMS.issued_at_microseconds)
    return TokenCounts(engine, gate(), clock, max_bytes_per_token=4)


async def refusal_of(counting: TokenCounts, asked: CountOrder) -> ComptoirError:
    with pytest.raises(ComptoirError) as refusal:
        await counting.count(asked)
    return refusal.value


@pytest.mark.parametrize("prompt", [CHAT, Text("Bonjour")])
async def test_a_prompt_is_counted_and_the_engine_is_asked_for_nothing_more(prompt: Chat | Text) -> None:
    engine = ScriptedEngine()
    counting = counts(engine)
    assert await counting.count(order(prompt=prompt)) == [1, 2, 3]
    assert counting.context_tokens == 64
    assert not engine.requests


async def test_a_model_that_makes_vectors_has_no_chats_to_count() -> None:
    engine = ScriptedEngine(features=Feature.TOKEN_IDS | Feature.EMBEDDING)
    assert (await refusal_of(counts(engine), order())).reason is Reason.MODEL_TASK_MISMATCH
    assert await counts(engine).count(order(2, Text("Bonjour"))) == [1, 2, 3]


@pytest.mark.parametrize("claims", [{"max_output_tokens": 1}, {"lease_id": Identity(5, 6)}])
async def test_a_ticket_for_an_answer_counts_nothing(claims: dict[str, Any]) -> None:
    counting, asked = counts(ScriptedEngine()), order(**claims)
    with pytest.raises(ComptoirError) as refusal:
        counting.check(asked.claims)
    assert refusal.value.reason is Reason.TICKET_INVALID
    assert (await refusal_of(counting, asked)).reason is Reason.TICKET_INVALID


TOOLS = Tools((Tool("clock", parameters_schema='{"type": "object"}'),))


async def test_a_chat_is_counted_with_its_tools_and_what_its_template_is_told() -> None:
    engine: Any = TellingEngine()
    clock = ManualClock(wall_microseconds=CLAIMS.issued_at_microseconds)
    rules = TemplateRules({"style": ("brief",)}, {"low": EffortMeaning(template_arguments={"a": True})})
    counting = TokenCounts(
        engine, gate(), clock, max_bytes_per_token=4, template=rules, tool_format=FORMATS["hermes"]
    )
    asked = replace(CHAT, tools=TOOLS, options=TemplateOptions("low", {"style": "brief"}))
    await counting.count(order(prompt=asked))
    assert engine.asked == [replace(CHAT, tools=TOOLS).told({"a": True, "style": "brief"})]
    twice = replace(TOOLS, tools=TOOLS.tools * 2)
    no_schema = Tools((Tool("clock", parameters_schema="[]"),))
    for number, (tools, reason, field) in enumerate(
        (
            (twice, Reason.REQUEST_INVALID, "tools"),
            (no_schema, Reason.PARAMETER_UNSUPPORTED, "tools[0].parameters_schema"),
        ),
        start=2,
    ):
        refusal = await refusal_of(counting, order(number, replace(CHAT, tools=tools)))
        assert (refusal.reason, refusal.field) == (reason, field)


async def test_tools_of_a_model_that_calls_none_are_refused_as_for_an_answer() -> None:
    refusal = await refusal_of(counts(ScriptedEngine()), order(prompt=replace(CHAT, tools=TOOLS)))
    assert (refusal.reason, refusal.field) == (Reason.PARAMETER_UNSUPPORTED, "tools")


async def test_a_ticket_permits_one_count() -> None:
    counting = counts(ScriptedEngine())
    await counting.count(order())
    assert (await refusal_of(counting, order())).reason is Reason.TICKET_ALREADY_USED


async def test_more_tokens_than_the_ticket_permits_are_not_counted() -> None:
    refusal = await refusal_of(counts(ScriptedEngine()), order(max_input_tokens=2))
    assert (refusal.reason, refusal.numbers.limit, refusal.numbers.requested) == (
        Reason.TICKET_LIMIT_EXCEEDED,
        2,
        3,
    )


class TellingEngine(ScriptedEngine):
    """Keeps what it was asked to tokenize."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Chat | Text] = []

    async def tokenize(self, prompt: Chat | Text) -> list[int]:
        self.asked.append(prompt)
        return [1]


class LongEngine(ScriptedEngine):
    """Makes more tokens of any prompt than its context holds."""

    async def tokenize(self, prompt: Chat | Text) -> list[int]:
        return [1] * 65


async def test_ids_that_no_request_could_use_are_counted_and_not_listed() -> None:
    counting = counts(LongEngine())
    assert len(await counting.count(order(1))) == 65
    refusal = await refusal_of(counting, replace(order(2), returns_ids=True))
    assert (refusal.reason, refusal.field) == (Reason.CONTEXT_TOO_LONG, "messages")
    assert (refusal.numbers.limit, refusal.numbers.requested) == (64, 65)


async def test_what_no_context_can_hold_is_refused_untokenized() -> None:
    engine = ScriptedEngine()
    refusal = await refusal_of(counts(engine), order(prompt=Text("x" * (64 * 4 + 1))))
    assert (refusal.reason, refusal.field) == (Reason.CONTEXT_TOO_LONG, "prompt")
    assert engine.moment == -1


async def test_an_engine_that_does_not_tokenize_or_is_dead_says_so() -> None:
    mute = ScriptedEngine(features=Feature.PRIORITY)
    refused = await refusal_of(counts(mute), order())
    assert refused.reason is Reason.COUNT_UNSUPPORTED
    # A caller that tries again would be refused again, for ever.
    assert refused.reason.row.retry is Retry.NEVER
    dead = ScriptedEngine(failure_at=0, failure=EngineFailedError())
    assert (await refusal_of(counts(dead), order())).reason is Reason.ENGINE_FAILED


class GatedEngine(ScriptedEngine):
    """Tokenizes once it is let, and knows how many prompts it has at once."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__()
        self.gate, self.open, self.most = asyncio.Event(), 0, 0
        self.reason = failure

    async def tokenize(self, prompt: Chat | Text) -> list[int]:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await self.gate.wait()
        finally:
            self.open -= 1
        if self.reason is not None:
            raise self.reason
        return [1]


async def test_counts_beyond_the_bound_are_refused_and_few_run_at_once() -> None:
    engine = GatedEngine()
    counting = counts(engine)
    running = [
        asyncio.create_task(counting.count(order(number, key=number))) for number in range(1, MAX_OPEN + 1)
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (
        await refusal_of(counting, order(MAX_OPEN + 1, key=MAX_OPEN + 1))
    ).reason is Reason.REPLICA_OVERLOADED
    for task in running[: MAX_OPEN // 2]:
        task.cancel()
    engine.gate.set()
    results = await asyncio.gather(*running, return_exceptions=True)
    assert results.count([1]) == MAX_OPEN - MAX_OPEN // 2
    assert engine.most <= TURNS
    # Whoever left gave the place back.
    assert await counting.count(order(MAX_OPEN + 2)) == [1]


@pytest.mark.parametrize("failure", [None, EngineFailedError()])
async def test_a_count_whose_caller_left_keeps_its_turn_until_its_thread_has_ended(
    failure: Exception | None,
) -> None:
    engine = GatedEngine(failure=failure)
    counting = counts(engine)
    running = [asyncio.create_task(counting.count(order(number))) for number in range(1, TURNS + 1)]
    await asyncio.sleep(0)
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    assert all(task.cancelled() for task in running)
    later = asyncio.create_task(counting.count(order(TURNS + 1)))
    for _ in range(5):
        await asyncio.sleep(0)
    assert engine.open == TURNS
    engine.gate.set()
    if failure is None:
        assert await later == [1]
    else:
        with pytest.raises(ComptoirError):
            await later
    assert engine.most == TURNS


async def test_a_key_with_many_counts_keeps_nobody_else_out() -> None:
    engine = GatedEngine()
    counting = counts(engine)
    running = [asyncio.create_task(counting.count(order(number))) for number in range(1, MAX_OPEN_OF_KEY + 1)]
    await asyncio.sleep(0)
    assert (await refusal_of(counting, order(MAX_OPEN))).reason is Reason.REPLICA_OVERLOADED
    other = asyncio.create_task(counting.count(order(MAX_OPEN + 1, key=CLAIMS.key + 1)))
    engine.gate.set()
    assert await asyncio.gather(*running, other) == [[1]] * (MAX_OPEN_OF_KEY + 1)
    assert await counting.count(order(MAX_OPEN + 2)) == [1]
