"""What a request's sampling parameters do to the answer of every engine."""

from services.generator.domain.delta import EngineFinish
from services.generator.domain.ports import Engine
from services.generator.domain.sampling import Sampling
from tests.contracts.engine_requests import answer, ask, chat


async def token_id_of(engine: Engine, character: str) -> int:
    """The id of the token that is this character alone."""
    around = await chat(engine, "")
    return next(token_id for token_id in await chat(engine, character) if token_id not in around)


class SamplingContract:
    """Run by every engine, as a part of its contract."""

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
        never = Sampling(temperature=0, logit_bias={token_id: -100.0})
        without = await answer(ask(engine, input_ids, tokens=48, sampling=never))
        assert without.text != (await answer(ask(engine, input_ids, tokens=48))).text
