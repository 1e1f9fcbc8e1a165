"""What engines that keep to a structure do, whatever else a request asks for."""

import json
import re

import pytest

from services.generator.domain.delta import EngineFinish, ToolCallPart
from services.generator.domain.ports import Engine, Feature
from services.generator.domain.prompt import Chat, ChatTurn, Role, ToolCall
from services.generator.domain.reasoning import FORMATS, ReasoningReader, Section, structure_behind
from services.generator.domain.sampling import Sampling
from services.generator.domain.structure import Structure
from services.generator.domain.tools import HERMES, Tool, ToolCallReader, Tools, ToolUse, grammar
from services.kernel.errors import ComptoirError, Reason
from tests.contracts.engine_needs import needs
from tests.contracts.engine_requests import answer, ask, chat

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "maximum": 150}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


class StructureContract:
    """Run by every engine that has the feature, as a part of its contract."""

    @pytest.mark.parametrize("temperature", [0.0, 1.0, 2.0])
    async def test_an_answer_fits_its_schema(self, engine: Engine, temperature: float) -> None:
        structure = Structure(json.dumps(PERSON))
        await engine.check_structure(structure)
        sampling = Sampling(temperature=temperature)
        asked = ask(engine, await chat(engine), tokens=200, sampling=sampling, structure=structure)
        result = await answer(asked)
        assert result.finish is EngineFinish.STOP
        person = json.loads(result.text)
        assert list(person) == ["name", "age"]
        assert len(person["name"]) <= 12
        assert isinstance(person["age"], int)

    async def test_an_answer_that_its_grammar_gave_up_says_that_it_was_cut(self, engine: Engine) -> None:
        # Every piece of the text may end at each character, so that there is more to keep with each token.
        pattern = {"type": "string", "pattern": "^(.{1,50}){1,50}$"}
        structure = Structure(json.dumps({"type": "object", "properties": {"a": pattern}, "required": ["a"]}))
        await engine.check_structure(structure)
        result = await answer(ask(engine, await chat(engine), tokens=200, structure=structure))
        assert result.finish is EngineFinish.LENGTH
        with pytest.raises(ValueError, match="Unterminated string"):
            json.loads(result.text)

    @needs(Feature.THINKING_BUDGET)
    @pytest.mark.parametrize("temperature", [0.0, 2.0])
    @pytest.mark.parametrize(
        "asked",
        [
            Structure(json.dumps(PERSON)),
            Structure(grammar=grammar(Tools((Tool("weather"),), ToolUse.REQUIRED), HERMES)),
            Structure(grammar=grammar(Tools((Tool("weather"),)), HERMES)),
        ],
    )
    async def test_an_answer_fits_behind_its_reasoning(
        self, engine: Engine, asked: Structure, temperature: float
    ) -> None:
        told = Chat((ChatTurn(Role.USER, "Hm?"),)).told({"enable_thinking": True})
        structure = structure_behind(Section.OPEN, FORMATS["qwen3"], asked)
        await engine.check_structure(structure)
        sampling = Sampling(temperature=temperature, thinking_token_budget=8)
        ids = await engine.tokenize(told)
        result = await answer(ask(engine, ids, tokens=120, sampling=sampling, structure=structure))
        reader = ReasoningReader(FORMATS["qwen3"], Section.OPEN)
        said = "".join(reader.read(step.text).said for step in result.steps)
        assert result.text.count("</think>") == 1
        if asked.json_schema:
            assert list(json.loads(said)) == ["name", "age"]
        elif "TEXT" not in asked.grammar:
            assert said.startswith(HERMES.before)

    async def test_a_section_that_may_come_leaves_the_structure_as_it_is(self, engine: Engine) -> None:
        structure = structure_behind(Section.POSSIBLE, FORMATS["qwen3"], Structure('{"const": 5}'))
        await engine.check_structure(structure)
        result = await answer(ask(engine, await chat(engine), tokens=8, structure=structure))
        assert result.text.startswith(("5", "<think>"))

    @pytest.mark.parametrize("temperature", [0.0, 2.0])
    @pytest.mark.parametrize(
        ("structure", "fits"),
        [
            (
                Structure.of_texts(["positif", "négatif", 'ni "l\'un"\n\\']),
                r"positif|négatif|ni \"l'un\"\n\\",
            ),
            (Structure.of_pattern(r"^[a-z]{3}/\d{2}-(é|ü)\.$"), r"[a-z]{3}/\d{2}-(é|ü)\."),
        ],
    )
    async def test_an_answer_is_one_of_the_texts_or_what_the_pattern_matches(
        self, engine: Engine, structure: Structure, fits: str, temperature: float
    ) -> None:
        await engine.check_structure(structure)
        sampling = Sampling(temperature=temperature)
        result = await answer(
            ask(engine, await chat(engine), tokens=40, sampling=sampling, structure=structure)
        )
        assert result.finish is EngineFinish.STOP
        assert re.fullmatch(fits, result.text)

    @pytest.mark.parametrize("pattern", ["(geheim", "a(?=b)", "\\", "[z-a]", "\\1"])
    async def test_a_pattern_that_is_none_is_refused_by_its_field(self, engine: Engine, pattern: str) -> None:
        with pytest.raises(ComptoirError) as refusal:
            await engine.check_structure(Structure.of_pattern(pattern), "structure")
        assert (refusal.value.reason, refusal.value.field) == (Reason.PARAMETER_UNSUPPORTED, "structure")

    @pytest.mark.parametrize("said", [Structure.of_texts(["oui", "non"]), Structure.of_pattern("oui|non")])
    async def test_an_answer_that_may_call_tools_keeps_to_its_form(
        self, engine: Engine, said: Structure
    ) -> None:
        structure = Structure(grammar=grammar(Tools((Tool("weather"),)), HERMES, said))
        await engine.check_structure(structure)
        result = await answer(ask(engine, await chat(engine), tokens=120, structure=structure))
        assert result.text in ("oui", "non") or result.text.startswith(HERMES.mark)

    async def test_any_object_is_a_schema_too(self, engine: Engine) -> None:
        structure = Structure('{"type": "object"}')
        await engine.check_structure(structure)
        result = await answer(ask(engine, await chat(engine), tokens=64, structure=structure))
        assert result.text.startswith("{")
        if result.finish is EngineFinish.STOP:
            assert isinstance(json.loads(result.text), dict)

    @pytest.mark.parametrize(
        ("schema", "field"),
        [
            ({"not": {"type": "string"}}, "structure.json_schema.not"),
            ({"type": "array", "uniqueItems": True}, "structure.json_schema.uniqueItems"),
            ({"type": "string", "pattern": "(secret"}, "structure.json_schema.pattern"),
            ({"type": "secret"}, "structure.json_schema.type"),
            ([], "structure.json_schema"),
        ],
    )
    async def test_what_cannot_be_seen_to_is_refused_by_its_keyword(
        self, engine: Engine, schema: object, field: str
    ) -> None:
        with pytest.raises(ComptoirError) as refusal:
            await engine.check_structure(Structure(json.dumps(schema)))
        assert (refusal.value.reason, refusal.value.field) == (Reason.PARAMETER_UNSUPPORTED, field)
        # The engine goes on.
        assert (await answer(ask(engine, await chat(engine), tokens=1))).output_tokens == 1

    @pytest.mark.parametrize("use", [ToolUse.AUTO, ToolUse.REQUIRED])
    async def test_a_call_of_a_tool_fits_its_schema(self, engine: Engine, use: ToolUse) -> None:
        tools = Tools((Tool("person", "", json.dumps(PERSON)),), use, is_one_call=True)
        structure = Structure(grammar=grammar(tools, HERMES))
        await engine.check_structure(structure, "tools")
        asked = ask(engine, await chat(engine), tokens=400, sampling=Sampling(seed=3), structure=structure)
        result = await answer(asked)
        reader = ToolCallReader(HERMES, lambda: "call")
        pieces = reader.read(result.text, is_last=True)
        assert reader.has_calls or use is ToolUse.AUTO
        if reader.has_calls and result.finish is EngineFinish.STOP:
            called = "".join(piece.arguments for piece in pieces if isinstance(piece, ToolCallPart))
            assert list(json.loads(called)) == ["name", "age"]

    async def test_tools_are_told_of_in_the_prompt_and_their_words_steer_nothing(
        self, engine: Engine, control_tokens: dict[str, int]
    ) -> None:
        turns = (ChatTurn(Role.USER, "a"),)
        plain = await engine.tokenize(Chat(turns))
        assert len(await engine.tokenize(Chat(turns, Tools((Tool("weather"),))))) > len(plain)
        for spelling in control_tokens:
            with pytest.raises(ComptoirError) as refusal:
                await engine.tokenize(Chat(turns, Tools((Tool("weather", spelling),))))
            assert (refusal.value.reason, refusal.value.field) == (Reason.REQUEST_INVALID, "tools")

    async def test_calls_and_what_they_brought_are_in_the_prompt(self, engine: Engine) -> None:
        asked, call = ChatTurn(Role.USER, "a"), ToolCall("call_1", "weather", '{"city": "Lyon"}')
        turns = (asked, ChatTurn(Role.ASSISTANT, "", tool_calls=(call,)))
        brought = (*turns, ChatTurn(Role.TOOL, "20", tool_call_id="call_1"))
        lengths = [len(await engine.tokenize(Chat(each))) for each in ((asked,), turns, brought)]
        assert lengths == sorted(set(lengths))
