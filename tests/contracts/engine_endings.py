"""How requests end early on an engine: at once, counted to the token, in one event, and the others go on."""

import asyncio
from typing import Final

import pytest

from services.generator.domain.generation import Message
from services.generator.domain.ports import CallerGoneError, Engine
from services.generator.domain.terminal_event import Outcome
from tests.contracts.engine_callers import NUMBERS, Caller, How, Phase, end_early
from tests.contracts.engine_requests import (
    BOUND_SECONDS,
    CONTEXT_TOKENS,
    LASTING_TOKENS,
    RUNNING_REQUESTS,
    chat,
    idle,
    until,
)

_MOST_UNCLAIMED_TOKENS: Final = 64


class EndingsContract:
    """Run by every engine, as a part of its contract."""

    @pytest.mark.parametrize("how", How)
    @pytest.mark.parametrize("phase", Phase)
    async def test_what_ends_early_is_gone_from_the_engine_and_counted_once(
        self, engine: Engine, phase: Phase, how: How
    ) -> None:
        keeps_queue = getattr(self, "keeps_queue", False)
        ended = await end_early(engine, phase, how, keeps_queue=keeps_queue)
        assert ended.event.ending.outcome is how.value
        assert (ended.event.counts.output_tokens > 0) or phase is not Phase.DECODE
        assert (ended.event.counts.output_tokens == 0) or phase is not Phase.QUEUE
        assert ended.event.counts.input_tokens > 0
        # What comes while a request is being ended is nobody's: a step, or what one read brings over HTTP.
        assert 0 <= ended.unclaimed_tokens <= _MOST_UNCLAIMED_TOKENS

    async def test_a_caller_that_breaks_off_is_counted_to_what_was_made(self, engine: Engine) -> None:
        class Broken(Caller):
            async def send(self, message: Message) -> None:
                await super().send(message)
                if len(self.messages) > 3:
                    raise CallerGoneError

        made_before = engine.load().output_tokens_total
        caller = Broken(engine, await chat(engine), LASTING_TOKENS)
        caller.start()
        event = await caller.event()
        await idle(engine)
        assert event.ending.outcome is Outcome.CLIENT_CANCELLED
        made = engine.load().output_tokens_total - made_before
        assert 0 <= made - event.counts.output_tokens <= _MOST_UNCLAIMED_TOKENS
        assert event.counts.output_tokens < LASTING_TOKENS

    async def test_a_caller_that_reads_nothing_has_its_answer_kept_as_one_piece(self, engine: Engine) -> None:
        class Silent(Caller):
            """Takes the first message, and nothing more: the windows of its connection are full."""

            reads = asyncio.Event()

            async def send(self, message: Message) -> None:
                await super().send(message)
                await self.reads.wait()

        tokens = 300
        caller = Silent(engine, await chat(engine), tokens)
        caller.reads = asyncio.Event()
        caller.start()
        await until(lambda: bool(caller.tally.events), BOUND_SECONDS)
        # The engine is free of it although it was not read, and its count is durable.
        await idle(engine)
        assert (len(caller.messages), caller.serving and caller.serving.done()) == (1, False)
        caller.reads.set()
        event = await caller.event()
        assert (event.ending.outcome, event.counts.output_tokens) == (Outcome.LENGTH, tokens)
        # Started, what waited for it as one delta, and the end.
        assert len(caller.messages) == 3

    async def test_requests_that_a_full_cache_puts_back_are_counted_once(self, engine: Engine) -> None:
        preempted_before = engine.load().preempted_requests_total
        tokens = 500
        callers = []
        for _ in range(RUNNING_REQUESTS):
            one = await chat(engine, f"Numéro {next(NUMBERS)}.")
            prompt = (one * CONTEXT_TOKENS)[: CONTEXT_TOKENS - tokens]
            callers.append(Caller(engine, prompt, tokens))
            callers[-1].start()
        for caller in callers:
            event = await caller.event()
            assert (event.ending.outcome, event.counts.output_tokens) == (Outcome.LENGTH, tokens)
            assert event.counts.input_tokens == CONTEXT_TOKENS - tokens
        await idle(engine)
        if preempted_before is not None:
            # Answers and prompts are four whole contexts, where blocks are for three.
            await until(
                lambda: (engine.load().preempted_requests_total or 0) > preempted_before, BOUND_SECONDS
            )
