"""What users of vLLM say of an answer's form is served, one form at a time, or refused by its name."""

import json

import pytest
from hypothesis import given

from services.edge.domain.generation import ANY_FORM, Form
from services.edge.domain.openai.chat.request import parse_chat
from services.edge.domain.openai.completions.request import parse_completion
from services.edge.domain.openai.public_names import is_public
from services.edge.domain.openai.responses.request import parse_response
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.domain.openai.chat.chats import CHAT, JSON, refusal
from tests.services.edge.domain.openai.responses.requests import REQUEST

SCHEMA = {"type": "object", "properties": {"é": {"type": "integer"}}}
TEXT = json.dumps(SCHEMA, ensure_ascii=False, separators=(",", ":"))
OBJECT = Form('{"type":"object"}')
FORMS: list[tuple[dict[str, object], Form]] = [
    ({"structured_outputs": {"json": SCHEMA}}, Form(TEXT)),
    ({"structured_outputs": {"json": json.dumps(SCHEMA)}}, Form(TEXT)),
    ({"structured_outputs": {"json_object": True}}, OBJECT),
    ({"structured_outputs": {"choice": ["oui", "non", "oui"]}}, Form(texts=("oui", "non"))),
    ({"structured_outputs": {"regex": "[a-z]+", "disable_any_whitespace": True}}, Form(pattern="[a-z]+")),
    ({"guided_json": SCHEMA}, Form(TEXT)),
    ({"guided_json": json.dumps(SCHEMA)}, Form(TEXT)),
    ({"guided_choice": ["oui", "non"]}, Form(texts=("oui", "non"))),
    ({"guided_regex": "a|b"}, Form(pattern="a|b")),
    ({"structured_outputs": {}, "guided_json": {}, "guided_choice": [], "guided_regex": ""}, ANY_FORM),
    ({"structured_outputs": {"json_object": False, "grammar": ""}, "guided_json": ""}, ANY_FORM),
    ({"structured_outputs": None, "response_format": {"type": "json_object"}}, OBJECT),
]


@pytest.mark.parametrize(("asked", "form"), FORMS)
def test_a_form_is_read_as_vllm_spells_it(asked: dict[str, object], form: Form) -> None:
    assert parse_chat(CHAT | asked).generation.form == form


@pytest.mark.parametrize(("asked", "form"), FORMS[:-1])
def test_a_completion_has_one_too(asked: dict[str, object], form: Form) -> None:
    (generation,) = parse_completion({"prompt": "Il", **asked}).generations
    assert generation.form == form


LONG = "x" * 65_537


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"structured_outputs": {"choice": ["a"], "regex": "a"}}, "structured_outputs"),
        ({"structured_outputs": {"choice": ["a"]}, "guided_regex": "a"}, "structured_outputs"),
        ({"guided_choice": ["a"], "response_format": {"type": "json_object"}}, "structured_outputs"),
        ({"structured_outputs": {"choice": ["a", ""]}}, "structured_outputs.choice"),
        ({"structured_outputs": {"choice": [LONG]}}, "structured_outputs.choice"),
        ({"structured_outputs": {"choice": [1]}}, "structured_outputs.choice"),
        ({"structured_outputs": {"regex": "x" * 4097}}, "structured_outputs.regex"),
        ({"structured_outputs": {"json": "geheim"}}, "structured_outputs.json"),
        ({"structured_outputs": {"json": "[]"}}, "structured_outputs.json"),
        ({"structured_outputs": {"json": '{"a":1,"a":2}'}}, "structured_outputs.json"),
        ({"structured_outputs": {"json": '{"a":"\\ud83d"}'}}, "structured_outputs.json"),
        ({"structured_outputs": {"json": '{"a":' + "[" * 65 + "]" * 65 + "}"}}, "structured_outputs.json"),
        ({"structured_outputs": {"json": {"description": LONG}}}, "structured_outputs.json"),
        ({"guided_json": LONG}, "guided_json"),
        ({"guided_choice": "oui"}, "guided_choice"),
        ({"guided_regex": 5}, "guided_regex"),
    ],
)
def test_what_is_no_form_is_named(asked: dict[str, object], field: str) -> None:
    error = refusal(**asked)
    assert (error.reason, error.field) == (Reason.REQUEST_INVALID, field)


@pytest.mark.parametrize("kind", ["grammar", "structural_tag", "whitespace_pattern"])
def test_a_kind_that_is_not_served_is_named(kind: str) -> None:
    error = refusal(structured_outputs={"json": SCHEMA, kind: "x"})
    assert (error.reason, error.field) == (Reason.PARAMETER_UNSUPPORTED, f"structured_outputs.{kind}")


@pytest.mark.parametrize("asked", [asked for asked, form in FORMS[:9] if form != ANY_FORM])
def test_responses_say_it_in_text_format_alone(asked: dict[str, object]) -> None:
    with pytest.raises(ComptoirError) as raised:
        parse_response(REQUEST | asked)
    assert raised.value.reason is Reason.PARAMETER_UNSUPPORTED
    assert [raised.value.field] == list(asked)


@given(JSON)
def test_any_value_is_a_form_or_refused_with_a_public_name(value: object) -> None:
    for asked in (
        {"structured_outputs": value},
        {"structured_outputs": {"json": value}},
        {"guided_json": value},
    ):
        try:
            parse_chat(CHAT | asked)
        except ComptoirError as error:
            assert is_public(error.field)  # noqa: PT017 - one outcome of two
