"""What every engine behind the generator's port does; subclasses give an `engine` and `control_ids`.

The engine of a subclass runs at most RUNNING_REQUESTS requests at once and holds
CONTEXT_TOKENS tokens of prompt and answer.
"""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from services.generator.domain.delta import Delta, EngineFinish
from services.generator.domain.ports import Engine, EngineRequest, Feature
from services.generator.domain.prompt import Chat, ChatTurn, Role, TokenIds
from services.generator.domain.sampling import Sampling
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from tests.contracts.engine_endings import EndingsContract
from tests.contracts.engine_fuzz import Attempts, attempts
from tests.contracts.engine_needs import needs
from tests.contracts.engine_prompts import PromptContract
from tests.contracts.engine_queue import QueueContract
from tests.contracts.engine_requests import (
    BOUND_SECONDS,
    CONTEXT_TOKENS,
    GREEDY,
    LASTING,
    LASTING_TOKENS,
    PROMPT,
    RUNNING_REQUESTS,
    answer,
    ask,
    chat,
    fill,
    gives_up,
    holds,
    idle,
    until,
)
from tests.contracts.engine_sampling import SamplingContract


class EngineContract(PromptContract, SamplingContract, QueueContract, EndingsContract):
    """Run by every engine; one that has not all of it declares its `features`, and parameters it `lacks`.

    `fuzz_seconds` is what hundreds of requests may take on a slow one.
    """

    fuzz_seconds = BOUND_SECONDS

    async def test_it_has_what_is_declared_and_no_more(self, engine: Engine) -> None:
        assert engine.capabilities.features == getattr(self, "features", engine.capabilities.features)

    async def test_a_parameter_that_it_lacks_is_refused_by_its_name(self, engine: Engine) -> None:
        values: dict[str, Any] = {"min_tokens": 1, "stop_token_ids": (5,)}
        for name in getattr(self, "lacks", ()):
            sampling = replace(GREEDY, **{name: values[name]})
            with pytest.raises(ComptoirError) as refusal:
                await answer(ask(engine, await chat(engine), tokens=4, sampling=sampling))
            assert refusal.value.reason is Reason.PARAMETER_UNSUPPORTED
            assert refusal.value.field == f"sampling.{name}"

    async def test_the_same_greedy_request_gets_the_same_text_and_count(self, engine: Engine) -> None:
        input_ids = await chat(engine)
        first, second = await answer(ask(engine, input_ids)), await answer(ask(engine, input_ids))
        assert first.text == second.text
        assert first.output_tokens == second.output_tokens

    async def test_a_chat_is_answered_as_its_token_ids_are(self, engine: Engine) -> None:
        turns = (ChatTurn(Role.USER, PROMPT),)
        by_ids = await answer(ask(engine, TokenIds(await engine.tokenize(Chat(turns)))))
        assert (await answer(ask(engine, Chat(turns)))).text == by_ids.text

    async def test_nothing_comes_after_the_last_delta(self, engine: Engine) -> None:
        news: list[object] = []
        salt = "salt" if Feature.PREFIX_SALT in engine.capabilities.features else None
        prompt = TokenIds(await chat(engine))
        request = EngineRequest("to-end", prompt, LASTING, LASTING_TOKENS, cache_salt=salt)
        await engine.submit(request, news.append)
        await until(lambda: len(news) > 2, BOUND_SECONDS)
        await engine.abort("to-end")
        told = len(news)
        await answer(ask(engine, await chat(engine), tokens=8))
        assert [type(item) for item in news] == [Delta] * told
        assert [getattr(item, "finish", None) for item in news] == [None] * (told - 1) + [EngineFinish.ABORT]

    async def test_an_answer_that_reaches_its_limit_has_exactly_that_many_tokens(
        self, engine: Engine
    ) -> None:
        result = await answer(ask(engine, await chat(engine), tokens=5))
        assert result.finish is EngineFinish.LENGTH
        assert result.output_tokens == 5

    async def test_one_output_token_is_possible(self, engine: Engine) -> None:
        result = await answer(ask(engine, await chat(engine), tokens=1))
        assert result.output_tokens == 1

    async def test_text_never_holds_half_a_character(self, engine: Engine) -> None:
        input_ids = await chat(engine, "Ça coûte 3 €, où est l'hôtel ? 🚆")
        result = await answer(ask(engine, input_ids, tokens=64))
        for step in result.steps:
            assert step.text.encode("utf-8").decode("utf-8") == step.text

    async def test_a_stop_string_ends_the_answer_and_is_not_part_of_it(self, engine: Engine) -> None:
        input_ids = await chat(engine)
        whole = (await answer(ask(engine, input_ids, tokens=48))).text
        stop = whole[len(whole) // 2 : len(whole) // 2 + 3]
        stopped = await answer(
            ask(engine, input_ids, tokens=48, sampling=Sampling(temperature=0, stop=(stop,)))
        )
        assert stopped.finish is EngineFinish.STOP
        assert stopped.text == whole[: whole.index(stop)]

    async def test_a_stop_string_that_does_not_come_changes_nothing(self, engine: Engine) -> None:
        input_ids = await chat(engine)
        whole = await answer(ask(engine, input_ids, tokens=20))
        sampling = Sampling(temperature=0, stop=("\N{SNOWMAN} never said",))
        same = await answer(ask(engine, input_ids, tokens=20, sampling=sampling))
        assert same.text == whole.text

    @pytest.mark.parametrize("seed", [42, 0, -1, -(2**63), 2**63 - 1])
    async def test_a_seed_makes_sampling_repeatable(self, engine: Engine, seed: int) -> None:
        input_ids = await chat(engine)
        sampling = Sampling(temperature=1.0, seed=seed)
        first = await answer(ask(engine, input_ids, sampling=sampling, tokens=24))
        second = await answer(ask(engine, input_ids, sampling=sampling, tokens=24))
        assert first.text == second.text

    @pytest.mark.parametrize("alone", [Sampling(top_k=1), Sampling(min_p=1.0)], ids=["top_k", "min_p"])
    async def test_a_choice_of_one_token_is_the_greedy_one(self, engine: Engine, alone: Sampling) -> None:
        input_ids = await chat(engine)
        greedy = await answer(ask(engine, input_ids, tokens=24))
        chosen = await answer(ask(engine, input_ids, sampling=alone, tokens=24))
        assert chosen.text == greedy.text

    async def test_sampling_without_a_seed_gives_other_answers(self, engine: Engine) -> None:
        input_ids = await chat(engine)
        sampling = Sampling(temperature=1.0)
        texts = {(await answer(ask(engine, input_ids, sampling=sampling, tokens=24))).text for _ in range(4)}
        assert len(texts) > 1

    async def test_many_requests_at_once_all_end(self, engine: Engine) -> None:
        input_ids = await chat(engine)
        answers = await asyncio.gather(
            *(answer(ask(engine, input_ids, tokens=8)) for _ in range(3 * RUNNING_REQUESTS))
        )
        assert {result.text for result in answers} == {answers[0].text}
        assert engine.unfinished_requests() == 0

    async def test_a_cancelled_request_in_the_queue_frees_the_engine(self, engine: Engine) -> None:
        async with gives_up(engine, RUNNING_REQUESTS * LASTING_TOKENS):
            running = await fill(engine)
            queued = asyncio.create_task(answer(ask(engine, await chat(engine))))
            await holds(engine, RUNNING_REQUESTS + 1)
            queued.cancel()
            await asyncio.wait({queued})
            await holds(engine, RUNNING_REQUESTS)
            for steps in running:
                await steps.aclose()

    async def test_a_cancelled_request_in_prefill_frees_the_engine(self, engine: Engine) -> None:
        prompt, tokens = await chat(engine, PROMPT * 4), 500
        asked = ask(engine, prompt, sampling=LASTING, tokens=tokens, salt=Identity.random().hex)
        async with gives_up(engine, tokens):
            prefilling = asyncio.create_task(answer(asked))
            await holds(engine, 1)
            prefilling.cancel()
            await asyncio.wait({prefilling})

    async def test_a_cancelled_request_in_decode_frees_the_engine(self, engine: Engine) -> None:
        asked = ask(engine, await chat(engine), sampling=LASTING, tokens=LASTING_TOKENS)
        async with gives_up(engine), aclosing(asked) as steps:
            await anext(steps)
            assert engine.unfinished_requests() == 1

    async def test_an_abort_ends_the_stream_and_says_so(self, engine: Engine) -> None:
        prompt = await chat(engine)
        steps = ask(engine, prompt, sampling=LASTING, tokens=LASTING_TOKENS, request_id="to-abort")
        async with gives_up(engine):
            await anext(steps)
            await engine.abort("to-abort")
            assert (await answer(steps)).finish is EngineFinish.ABORT

    async def test_an_abort_of_an_unknown_request_does_nothing(self, engine: Engine) -> None:
        await engine.abort("nobody")
        assert engine.unfinished_requests() == 0

    @needs(Feature.PREFIX_SALT)
    async def test_a_salt_shares_whole_blocks_with_itself_and_nothing_with_another(
        self, engine: Engine
    ) -> None:
        block_tokens = engine.capabilities.kv_block_tokens
        prompt = await chat(engine, "La réunion commence à neuf heures précises. " * 20)
        assert block_tokens < len(prompt) < CONTEXT_TOKENS
        ours, foreign = Identity.random().hex, Identity.random().hex
        assert (await answer(ask(engine, prompt, tokens=2, salt=ours))).cached_input_tokens == 0
        repeated = (await answer(ask(engine, prompt, tokens=2, salt=ours))).cached_input_tokens
        assert repeated == (len(prompt) - 1) // block_tokens * block_tokens
        assert (await answer(ask(engine, prompt, tokens=2, salt=foreign))).cached_input_tokens == 0

    async def test_a_prompt_beyond_the_context_is_refused(self, engine: Engine) -> None:
        prompt = (await chat(engine) * CONTEXT_TOKENS)[: CONTEXT_TOKENS + 1]
        with pytest.raises(ComptoirError) as refusal:
            await answer(ask(engine, prompt, tokens=1))
        assert refusal.value.reason is Reason.CONTEXT_TOO_LONG
        assert engine.unfinished_requests() == 0

    async def test_an_empty_prompt_is_refused_and_others_are_served(self, engine: Engine) -> None:
        with pytest.raises(ComptoirError) as refusal:
            await answer(ask(engine, [], tokens=1))
        assert refusal.value.reason is Reason.REQUEST_INVALID
        assert (await answer(ask(engine, await chat(engine), tokens=1))).output_tokens == 1

    async def test_text_that_spells_control_tokens_stays_text(
        self, engine: Engine, control_tokens: dict[str, int]
    ) -> None:
        control_ids = set(control_tokens.values())

        def control(ids: list[int]) -> list[int]:
            return [token_id for token_id in ids if token_id in control_ids]

        plain = control(await chat(engine, "Bonjour"))
        assert plain
        for spelling in (*control_tokens, "".join(control_tokens), "x" + "y".join(control_tokens) + "\n"):
            assert control(await chat(engine, spelling)) == plain

    async def test_roles_change_the_prompt(self, engine: Engine) -> None:
        turns = [ChatTurn(Role.SYSTEM, "a"), ChatTurn(Role.USER, "b"), ChatTurn(Role.ASSISTANT, "c")]
        as_user = [ChatTurn(Role.USER, turn.text) for turn in turns]
        assert list(await engine.tokenize(Chat(turns))) != list(await engine.tokenize(Chat(as_user)))

    @needs(Feature.LOAD)
    async def test_the_load_follows_the_requests(self, engine: Engine) -> None:
        made_before = engine.load().output_tokens_total
        running = await fill(engine)
        await until(lambda: engine.load().running_requests == RUNNING_REQUESTS, BOUND_SECONDS)
        load = engine.load()
        assert load.kv_usage is not None
        assert 0 < load.kv_usage <= 1
        assert load.age_seconds < BOUND_SECONDS
        assert load.output_tokens_total >= made_before + RUNNING_REQUESTS
        for steps in running:
            await steps.aclose()
        await idle(engine)

    async def test_an_idle_engine_has_no_old_numbers(self, engine: Engine) -> None:
        await answer(ask(engine, await chat(engine), tokens=1))
        await holds(engine, 0)
        load = engine.load()
        assert (load.age_seconds, load.running_requests, load.waiting_requests) == (0.0, 0, 0)

    @needs(Feature.TIMINGS)
    async def test_the_engine_says_what_its_own_waits_were(self, engine: Engine) -> None:
        result = await answer(ask(engine, await chat(engine), tokens=4, salt=Identity.random().hex))
        assert max(measures.prefill_seconds for measures in result.measures) > 0
        assert min(measures.queue_seconds for measures in result.measures) >= 0

    async def test_no_admissible_request_kills_the_engine(self, engine: Engine) -> None:
        before = await answer(ask(engine, await chat(engine)))
        tried = await attempts(engine, getattr(self, "lacks", frozenset()))
        most_failed, count = getattr(self, "most_failed", 0), getattr(self, "attempts", len(tried))
        await Attempts(engine, self.fuzz_seconds, most_failed=most_failed).make(tried[:count])
        await holds(engine, 0)
        await engine.check_health()
        after = await answer(ask(engine, await chat(engine)))
        assert (after.text, after.finish) == (before.text, before.finish)

    async def test_a_live_engine_is_healthy(self, engine: Engine) -> None:
        await engine.check_health()
        assert engine.capabilities.context_tokens == CONTEXT_TOKENS
