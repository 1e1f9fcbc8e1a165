"""What a caller is told of an answer that begins with reasoning."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.generator.domain.delta import Delta, EngineFinish, TokenChoice, TokenLogprob
from services.generator.domain.generation import Finished, Generation
from services.generator.domain.prompt import Chat, ChatTurn, Role, Text
from services.generator.domain.reasoning import FORMATS
from services.generator.domain.sampling import Sampling
from services.generator.domain.structure import Structure
from services.generator.domain.template import TemplateOptions, TemplateRules
from services.generator.domain.thinking import Thinking, end_of
from services.kernel.chat_templates import EffortMeaning
from services.kernel.errors import ComptoirError, Reason
from tests.services.generator.domain.scripted_engine import ScriptedEngine, World

CHAT = Chat((ChatTurn(Role.USER, "a"),), options=TemplateOptions("low"))
RULES = TemplateRules(efforts={"low": EffortMeaning(thinking_token_budget=5)})
TOKEN = TokenChoice(TokenLogprob(b"<", 5, -1.0))
OPEN = "<|assistant|><think>\n"


class Ending(ScriptedEngine):
    """An engine all of whose prompts end so."""

    prompt_end: str = OPEN

    async def detokenize(self, ids: Sequence[int], *, spells_controls: bool = False) -> str:
        assert spells_controls
        return self.prompt_end


async def thinking(prompt_end: str = OPEN, budget: int | None = None) -> Thinking:
    found, engine = Thinking(FORMATS["qwen3"], CHAT), Ending()
    found.told(CHAT, Sampling(thinking_token_budget=budget), RULES)
    engine.prompt_end = prompt_end
    await found.begin((1, 2, 3), engine)  # type: ignore[arg-type] # a part of an engine
    return found


def test_a_model_that_does_not_think_says_all_as_the_engine_did() -> None:
    plain = Thinking(None, CHAT)
    assert list(plain.split(Delta("a</think>b"))) == [Delta("a</think>b")]
    assert plain.structure(Structure("{}")) == Structure("{}")
    assert (plain.tokens, plain.budget) == (0, None)


def test_a_prompt_is_no_chat_and_is_not_thought_about() -> None:
    plain = Thinking(FORMATS["qwen3"], Text("a"))
    assert list(plain.split(Delta("a</think>b"))) == [Delta("a</think>b")]
    with pytest.raises(ComptoirError) as refusal:
        Thinking(FORMATS["qwen3"], Text("a")).told(Text("a"), Sampling(thinking_token_budget=1), RULES)
    assert refusal.value.reason is Reason.PARAMETER_UNSUPPORTED
    assert refusal.value.field == "sampling.thinking_token_budget"


async def test_reasoning_comes_apart_from_text_with_the_tokens_of_both() -> None:
    found = await thinking()
    said = [*found.split(Delta("hm</th", 2, tokens=(TOKEN,))), *found.split(Delta("ink>\n\nbon", 2))]
    said += found.split(Delta("jour", 1, finish=EngineFinish.STOP))
    assert [(delta.reasoning, delta.text) for delta in said] == [("hm", ""), ("", "bon"), ("", "jour")]
    assert [delta.tokens for delta in said] == [(TOKEN,), (), ()]
    assert said[-1].finish is EngineFinish.STOP
    assert found.tokens == 4


async def test_each_choice_is_read_for_itself() -> None:
    found = await thinking()
    said = [*found.split(Delta("a</think>b", 1, index=1)), *found.split(Delta("c", 1))]
    assert [(delta.index, delta.reasoning, delta.text) for delta in said] == [
        (1, "a", ""),
        (1, "", "b"),
        (0, "c", ""),
    ]


async def test_the_smallest_bound_counts_where_there_is_a_section() -> None:
    assert (await thinking()).budget == 5
    assert (await thinking(budget=3)).budget == 3
    assert (await thinking(budget=9)).budget == 5
    assert (await thinking("<think>\n\n</think>\n\n")).budget is None


def test_the_end_of_a_long_prompt_is_looked_at_alone() -> None:
    assert len(end_of(range(10_000))) == 32
    assert end_of((1, 2)) == (1, 2)


async def test_a_generation_tells_its_reasoning_and_counts_it() -> None:
    deltas = [Delta("hm", 1), Delta("</think>", 1), Delta("oui", 1)]
    world = World(engine=Ending(deltas=deltas))
    parts = replace(world.parts, reasoning_format=FORMATS["qwen3"])
    world.generation = Generation(world.order, parts)
    assert await world.serve() is None
    told = [message for message in world.sent if isinstance(message, Delta)]
    assert "".join(delta.reasoning for delta in told) == "hm"
    assert "".join(delta.text for delta in told) == "oui"
    assert sum(delta.output_tokens for delta in told) == 3
    finished = world.sent[-1]
    assert isinstance(finished, Finished)
    assert (finished.counts.output_tokens, finished.counts.reasoning_tokens) == (3, 2)
