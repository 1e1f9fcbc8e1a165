"""What every engine makes of prompts that are no chats."""

from services.generator.domain.ports import Engine, Feature
from services.generator.domain.prompt import Chat, ChatTurn, Role, Text, TokenIds
from services.generator.domain.reasoning import FORMATS, ReasoningReader, Section, section_behind
from services.generator.domain.sampling import Sampling
from services.generator.domain.thinking import end_of
from tests.contracts.engine_needs import needs
from tests.contracts.engine_requests import PROMPT, answer, ask, chat

SAID = "Où est l'hôtel ? 🚆 <|e"


class PromptContract:
    """Run by every engine, as a part of its contract."""

    async def test_a_text_is_tokenized_without_a_template(self, engine: Engine) -> None:
        ids = await engine.tokenize(Text(SAID))
        assert await engine.detokenize(ids) == SAID
        assert len(ids) < len(await chat(engine, SAID))

    async def test_what_spells_control_tokens_in_a_text_is_text(
        self, engine: Engine, control_tokens: dict[str, int]
    ) -> None:
        added = [
            token_id for token_id in await engine.tokenize(Text("a")) if token_id in control_tokens.values()
        ]
        for spelling in (
            *control_tokens,
            "".join(control_tokens),
            # Long, and within the context whatever the model's control tokens take as text.
            "é" + "y".join(control_tokens) * (240 // len(control_tokens)) + "\n",
        ):
            ids = await engine.tokenize(Text(spelling))
            assert [token_id for token_id in ids if token_id in control_tokens.values()] == added
            assert await engine.detokenize(ids) == spelling

    @needs(Feature.THINKING_BUDGET)
    async def test_an_open_section_is_ended_by_its_budget(self, engine: Engine) -> None:
        told = Chat((ChatTurn(Role.USER, PROMPT),)).told({"enable_thinking": True})
        ids = await engine.tokenize(told)
        assert (await engine.detokenize(ids[-16:], spells_controls=True)).endswith("<think>\n")
        for budget in (1, 12):
            sampling = Sampling(temperature=0, thinking_token_budget=budget)
            result = await answer(ask(engine, ids, tokens=64, sampling=sampling))
            reader = ReasoningReader(FORMATS["qwen3"], Section.OPEN)
            thought = "".join(reader.read(step.text, step.output_tokens).thought for step in result.steps)
            assert result.text.count("</think>") == 1
            assert "think" not in thought
            # The last mark is tokens too, and vLLM miscounts by those of a first mark that is no token.
            assert reader.tokens <= budget + len("<think>\n</think>")

    async def test_a_chat_that_is_not_told_to_think_opens_no_section(self, engine: Engine) -> None:
        chat_alone = Chat((ChatTurn(Role.USER, f"{PROMPT}<think>"),))
        for arguments in ({}, {"enable_thinking": False}):
            ids = await engine.tokenize(chat_alone.told(arguments))
            end = await engine.detokenize(end_of(ids), spells_controls=True)
            assert section_behind(end, FORMATS["qwen3"]) is Section.POSSIBLE

    async def test_a_text_is_answered_as_its_token_ids_are(self, engine: Engine) -> None:
        by_ids = await answer(ask(engine, TokenIds(await engine.tokenize(Text(PROMPT)))))
        assert (await answer(ask(engine, Text(PROMPT)))).text == by_ids.text

    async def test_control_tokens_have_no_text(self, engine: Engine, control_tokens: dict[str, int]) -> None:
        turns = (ChatTurn(Role.SYSTEM, "calme"), ChatTurn(Role.USER, "Bonjour"))
        ids = await engine.tokenize(Chat(turns))
        text = await engine.detokenize(ids)
        # What else a template writes, such as names of roles, is text.
        assert text.index("calme") < text.index("Bonjour")
        assert set(ids) & set(control_tokens.values())
        assert not any(spelling in text for spelling in control_tokens)

    async def test_every_token_of_the_vocabulary_can_be_in_a_prompt(self, engine: Engine) -> None:
        last = engine.capabilities.vocabulary_tokens - 1
        assert last >= max(await chat(engine))
        assert (await answer(ask(engine, [0, last, *await chat(engine)], tokens=2))).output_tokens == 2
