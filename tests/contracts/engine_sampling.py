"""What a request's sampling parameters do to the answer of every engine."""

from dataclasses import replace

import pytest

from services.generator.domain.delta import EngineFinish
from services.generator.domain.ports import Engine, Feature
from services.generator.domain.sampling import Sampling
from tests.contracts.engine_needs import needs
from tests.contracts.engine_requests import LASTING, LASTING_TOKENS, answer, ask, chat, gives_up


async def token_id_of(engine: Engine, character: str) -> int:
    """The id of the token that is this character alone."""
    around = await chat(engine, "")
    return next(token_id for token_id in await chat(engine, character) if token_id not in around)


class SamplingContract:
    """Run by every engine, as a part of its contract."""

    @needs(parameter="stop_token_ids")
    async def test_a_stop_token_ends_the_answer_and_is_not_part_of_it(self, engine: Engine) -> None:
        token_id = await token_id_of(engine, "e")
        sampling = Sampling(temperature=0, logit_bias={token_id: 100.0}, stop_token_ids=(token_id,))
        stopped = await answer(ask(engine, await chat(engine), tokens=48, sampling=sampling))
        assert (stopped.text, stopped.output_tokens, stopped.finish) == ("", 1, EngineFinish.STOP)

    async def test_an_answer_that_ignores_its_end_reaches_its_limit(self, engine: Engine) -> None:
        endless = await answer(
            ask(engine, await chat(engine), tokens=400, sampling=Sampling(temperature=0, ignore_eos=True))
        )
        assert endless.finish is EngineFinish.LENGTH
        assert endless.output_tokens == 400

    @needs(parameter="min_tokens")
    async def test_no_answer_ends_before_its_least_tokens(self, engine: Engine) -> None:
        token_id = await token_id_of(engine, "e")
        sampling = Sampling(
            temperature=0, logit_bias={token_id: 50.0}, stop_token_ids=(token_id,), min_tokens=7
        )
        late = await answer(ask(engine, await chat(engine), tokens=48, sampling=sampling))
        assert late.output_tokens >= 7

    async def test_a_token_can_be_left_out_or_chosen_alone(self, engine: Engine) -> None:
        input_ids = await chat(engine)
        token_id = await token_id_of(engine, "e")
        alone = Sampling(temperature=0, logit_bias={token_id: 100.0})
        assert set((await answer(ask(engine, input_ids, tokens=8, sampling=alone))).text) == {"e"}
        plain = await answer(ask(engine, input_ids, tokens=48))
        around = await chat(engine, "")
        held = set(await chat(engine, plain.text)) - set(around)
        never = Sampling(temperature=0, logit_bias=dict.fromkeys(held, -100.0))
        without = await answer(ask(engine, input_ids, tokens=48, sampling=never))
        assert without.text != plain.text

    async def test_each_of_several_choices_is_a_whole_answer(self, engine: Engine) -> None:
        sampling = Sampling(temperature=1.0, seed=7, n=3, ignore_eos=True)
        steps = [step async for step in ask(engine, await chat(engine), tokens=24, sampling=sampling)]
        assert {step.index: step.finish for step in steps if step.finish} == dict.fromkeys(
            range(3), EngineFinish.LENGTH
        )
        assert [sum(step.output_tokens for step in steps if step.index == index) for index in range(3)] == [
            24,
            24,
            24,
        ]
        assert len({"".join(step.text for step in steps if step.index == index) for index in range(3)}) > 1
        assert engine.unfinished_requests() == 0

    @pytest.mark.parametrize("sampling", [Sampling(temperature=0), Sampling(temperature=0, stop=("e",))])
    @needs(Feature.OUTPUT_TOKEN_IDS)
    async def test_the_ids_of_an_answer_are_those_of_all_its_tokens(
        self, engine: Engine, sampling: Sampling
    ) -> None:
        asked = ask(engine, await chat(engine), tokens=48, sampling=sampling, returns_token_ids=True)
        result = await answer(asked)
        assert [len(step.token_ids) for step in result.steps] == [step.output_tokens for step in result.steps]
        assert (await engine.detokenize(result.token_ids)).startswith(result.text)
        if not sampling.stop:
            assert await engine.detokenize(result.token_ids) == result.text
        assert all(0 <= token_id < engine.capabilities.vocabulary_tokens for token_id in result.token_ids)

    @needs(Feature.LOGPROBS)
    async def test_ids_and_logprobs_are_of_the_same_tokens_in_each_choice(self, engine: Engine) -> None:
        sampling = Sampling(temperature=1.0, seed=3, n=2, logprobs=0)
        asked = ask(engine, await chat(engine), tokens=12, sampling=sampling, returns_token_ids=True)
        for step in (await answer(asked)).steps:
            assert list(step.token_ids) == [token.chosen.token_id for token in step.tokens]

    async def test_who_does_not_ask_for_ids_gets_none(self, engine: Engine) -> None:
        assert not (await answer(ask(engine, await chat(engine), tokens=8))).token_ids

    async def test_several_greedy_choices_are_served_too(self, engine: Engine) -> None:
        sampling = Sampling(temperature=0, n=2)
        steps = [step async for step in ask(engine, await chat(engine), tokens=8, sampling=sampling)]
        assert sum(step.output_tokens for step in steps) == 16

    async def test_an_abort_ends_all_choices(self, engine: Engine) -> None:
        sampling = replace(LASTING, n=3)
        async with gives_up(engine):
            steps = ask(engine, await chat(engine), tokens=LASTING_TOKENS, sampling=sampling)
            await anext(steps)
            await steps.aclose()

    @pytest.mark.parametrize("likeliest", [0, 5])
    @needs(Feature.LOGPROBS)
    async def test_each_token_comes_with_its_logprob_and_the_likeliest_ones(
        self, engine: Engine, likeliest: int
    ) -> None:
        sampling = Sampling(temperature=0, logprobs=likeliest)
        result = await answer(ask(engine, await chat(engine, "Où ? 🚆"), tokens=48, sampling=sampling))
        tokens = [token for step in result.steps for token in step.tokens]
        assert len(tokens) == result.output_tokens
        said = b"".join(token.chosen.token for token in tokens)
        assert said.startswith(result.text.encode())
        for token in tokens:
            assert len(token.likeliest) == likeliest
            assert [each.logprob for each in token.likeliest] == sorted(
                (each.logprob for each in token.likeliest), reverse=True
            )
            assert token.chosen.logprob <= 0
            if likeliest:
                # Greedy: the one that came is the likeliest.
                assert token.likeliest[0].token == token.chosen.token
