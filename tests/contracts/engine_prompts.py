"""What every engine makes of prompts that are no chats."""

from services.generator.domain.ports import Engine
from services.generator.domain.prompt import Chat, ChatTurn, Role, Text, TokenIds
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
            "é" + "y".join(control_tokens) * 50 + "\n",
        ):
            ids = await engine.tokenize(Text(spelling))
            assert [token_id for token_id in ids if token_id in control_tokens.values()] == added
            assert await engine.detokenize(ids) == spelling

    async def test_a_text_is_answered_as_its_token_ids_are(self, engine: Engine) -> None:
        by_ids = await answer(ask(engine, TokenIds(await engine.tokenize(Text(PROMPT)))))
        assert (await answer(ask(engine, Text(PROMPT)))).text == by_ids.text

    async def test_control_tokens_have_no_text(self, engine: Engine) -> None:
        turns = (ChatTurn(Role.SYSTEM, "calme"), ChatTurn(Role.USER, "Bonjour"))
        assert await engine.detokenize(await engine.tokenize(Chat(turns))) == "calmeBonjour"

    async def test_every_token_of_the_vocabulary_can_be_in_a_prompt(self, engine: Engine) -> None:
        last = engine.capabilities.vocabulary_tokens - 1
        assert last >= max(await chat(engine))
        assert (await answer(ask(engine, [0, last, *await chat(engine)], tokens=2))).output_tokens == 2
