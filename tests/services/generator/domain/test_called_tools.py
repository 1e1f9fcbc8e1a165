"""What a caller is shown of an answer that may call tools."""

import json

import pytest

from services.generator.domain.called_tools import CalledTools
from services.generator.domain.delta import Delta, EngineFinish, TokenChoice, TokenLogprob
from services.generator.domain.structure import Structure
from services.generator.domain.tools import HERMES, Tool, Tools, ToolUse
from services.kernel.errors import ComptoirError, Reason

TOOLS = Tools((Tool("weather", "", '{"type":"object","additionalProperties":false}'), Tool("clock")))
CALL = HERMES.before + "weather" + HERMES.between + "{}" + HERMES.behind
TOKEN = TokenChoice(TokenLogprob(b"<", 5, -1.0))


def test_without_tools_all_is_as_the_engine_said() -> None:
    plain, asked = CalledTools(None, HERMES), Structure("{}")
    assert plain.structure(asked) == asked
    assert plain.structure(None) is None
    assert plain.schemas() == []
    assert list(plain.shown(Delta("a <tool_call>"))) == [Delta("a <tool_call>")]
    assert list(plain.shown(Delta(output_tokens=1))) == []
    assert not plain.ends_with_calls(0)


def test_a_model_whose_calls_nobody_could_read_is_told_of_no_tool() -> None:
    with pytest.raises(ComptoirError) as refusal:
        CalledTools(TOOLS, None).structure(None)
    assert (refusal.value.reason, refusal.value.field) == (Reason.PARAMETER_UNSUPPORTED, "tools")


def test_tools_that_are_not_to_be_called_leave_the_answer_alone() -> None:
    told = CalledTools(Tools(TOOLS.tools, ToolUse.NONE), HERMES)
    assert told.structure(None) is None
    assert [shown.text for shown in told.shown(Delta(CALL))] == [CALL]


def test_every_tool_has_its_schema_tried_under_its_own_name() -> None:
    told = CalledTools(TOOLS, HERMES)
    told.structure(None)
    assert told.schemas() == [(TOOLS.tools[0].parameters_schema, "tools[0].parameters_schema")]


def test_a_grammar_has_each_schema_without_white_space_in_what_fits_it() -> None:
    structure = CalledTools(TOOLS, HERMES).structure(Structure('{"type":"boolean"}'))
    assert structure is not None
    rules = dict(line.split(": ", 1) for line in structure.grammar.splitlines())
    schemas = [json.loads(rules[rule].partition("%json ")[2]) for rule in ("said", "tool_0", "tool_1")]
    assert [schema["type"] for schema in schemas] == ["boolean", "object", "object"]
    assert {schema["x-guidance"]["whitespace_flexible"] for schema in schemas} == {False}


def test_each_choice_is_read_for_itself_and_keeps_its_tokens() -> None:
    tools = CalledTools(TOOLS, HERMES)
    said = [*tools.shown(Delta("Bonjour", index=1)), *tools.shown(Delta(CALL, tokens=(TOKEN,)))]
    said += tools.shown(Delta(finish=EngineFinish.STOP, index=1))
    assert (tools.ends_with_calls(0), tools.ends_with_calls(1)) == (True, False)
    assert [(delta.index, delta.text) for delta in said if delta.text] == [(1, "Bonjour")]
    called = [delta.tool_call for delta in said if delta.tool_call is not None]
    assert [(call.name, call.arguments) for call in called] == [("weather", ""), ("", "{}")]
    assert [delta.tokens for delta in said if delta.tokens] == [(TOKEN,)]


def test_tokens_of_text_that_is_held_are_told_at_once() -> None:
    shown = list(CalledTools(TOOLS, HERMES).shown(Delta("<tool", tokens=(TOKEN,))))
    assert [(delta.text, delta.tokens) for delta in shown] == [("", (TOKEN,))]


def test_objects_have_the_members_that_their_schemas_name_and_no_others() -> None:
    told = Tools((Tool("weather", "", '{"properties":{"a":{}}}'),))
    structure = CalledTools(told, HERMES).structure(Structure('{"properties":{"b":{}}}'))
    assert structure is not None
    assert structure.grammar.count('"additionalProperties": false') == 2


@pytest.mark.parametrize("use", [ToolUse.AUTO, ToolUse.NONE])
@pytest.mark.parametrize("schema", ["[", "[]", "geheim", "[" * 3_000, '{"const": "\\ud800"}'])
def test_a_schema_that_is_none_is_refused_by_its_field(schema: str, use: ToolUse) -> None:
    with pytest.raises(ComptoirError) as refusal:
        CalledTools(Tools((Tool("weather", "", schema),), use), HERMES).structure(None)
    assert refusal.value.field == "tools[0].parameters_schema"
    with pytest.raises(ComptoirError) as refusal:
        CalledTools(None, None).structure(Structure(schema))
    assert refusal.value.field == "structure.json_schema"


@pytest.mark.parametrize(
    "tools",
    [
        Tools((Tool("a"),), ToolUse.REQUIRED, permitted=("geheim",)),
        Tools((Tool("a"), Tool("a"))),
    ],
)
def test_names_that_are_not_those_of_tools_are_refused(tools: Tools) -> None:
    with pytest.raises(ComptoirError) as refusal:
        CalledTools(tools, HERMES).structure(None)
    assert (refusal.value.reason, refusal.value.field) == (Reason.REQUEST_INVALID, "tools")


def test_schemas_that_would_hold_up_every_other_answer_are_refused() -> None:
    large = Tool("a", "", '{"description": "' + "x" * 60_000 + '"}')
    tools = Tools(tuple(Tool(f"t{index}", "", large.parameters_schema) for index in range(5)))
    with pytest.raises(ComptoirError) as refusal:
        CalledTools(tools, HERMES).structure(None)
    assert (refusal.value.reason, refusal.value.field) == (Reason.PARAMETER_UNSUPPORTED, "tools")


def test_every_token_id_is_told_once_however_a_piece_is_cut() -> None:
    tools = CalledTools(TOOLS, HERMES)
    tools.structure(None)
    said = f"Oui.{CALL}"
    deltas = [Delta(character, 1, token_ids=(number,)) for number, character in enumerate(said)]
    deltas.append(Delta(output_tokens=1, finish=EngineFinish.STOP, token_ids=(len(said),)))
    shown = [piece for delta in deltas for piece in tools.shown(delta)]
    assert [token_id for piece in shown for token_id in piece.token_ids] == list(range(len(said) + 1))


def test_large_schemas_are_read_in_steps() -> None:
    schema = json.dumps({"type": "object", "description": "a" * 63_000})
    tools = Tools(tuple(Tool(f"tool_{index}", "", schema) for index in range(4)))
    told = CalledTools(tools, HERMES)
    # Each is closed, and each is written into the grammar.
    assert len(list(told.structure_steps(None))) == 8
    assert len(told.schemas()) == 4
    assert list(CalledTools(TOOLS, HERMES).structure_steps(None)) == []
