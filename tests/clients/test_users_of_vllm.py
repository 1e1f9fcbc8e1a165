"""What users of vLLM send with OpenAI's Python client, in `extra_body` above all."""

import json
import re
from typing import Annotated, Any, Final

import openai
import pytest
from pydantic import BaseModel, ConfigDict, Field

from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

MESSAGES: Any = [{"role": "user", "content": "Est-ce ouvert ?"}]
ASKED: Any = {"messages": MESSAGES, "max_tokens": 60}
CHOICES: Final = ["ouvert", "fermé", 'ni "l\'un"']
PHONE: Final = r"^0[1-9]( \d{2}){4}$"


class Opening(BaseModel):
    """When something is open."""

    model_config = ConfigDict(extra="forbid")

    is_open: bool
    floor: Annotated[int, Field(ge=-1, le=9)] | None


def said(stack: Stack, **extra: object) -> str:
    """What a chat says, whole; its stream says the same."""
    with stack.client(max_retries=0) as client:
        asked: Any = {"model": stack.model, "extra_body": extra, "temperature": 0, **ASKED}
        whole = client.chat.completions.create(**asked).choices[0].message.content or ""
        chunks = client.chat.completions.create(**asked, stream=True)
        streamed = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert streamed == whole
    return whole


@pytest.mark.parametrize(
    "extra", [{"structured_outputs": {"choice": CHOICES}}, {"guided_choice": CHOICES}], ids=str
)
def test_an_answer_is_one_of_the_choices(stack: Stack, extra: dict[str, object]) -> None:
    assert said(stack, **extra) in CHOICES


@pytest.mark.parametrize(
    "extra", [{"structured_outputs": {"regex": PHONE}}, {"guided_regex": PHONE}], ids=str
)
def test_an_answer_is_what_the_expression_matches(stack: Stack, extra: dict[str, object]) -> None:
    assert re.fullmatch(PHONE, said(stack, **extra))


@pytest.mark.parametrize("name", ["guided_json", "structured_outputs"])
@pytest.mark.parametrize("is_text", [True, False])
def test_an_answer_fits_the_schema_as_an_object_or_as_its_text(
    stack: Stack, name: str, is_text: bool
) -> None:
    schema: Any = Opening.model_json_schema()
    schema = json.dumps(schema) if is_text else schema
    Opening.model_validate_json(said(stack, **{name: {"json": schema} if name[0] == "s" else schema}))


def test_an_answer_keeps_to_its_choices_behind_what_is_thought(stack: Stack) -> None:
    extra = {
        "structured_outputs": {"choice": CHOICES},
        "chat_template_kwargs": {"enable_thinking": True},
        "thinking_token_budget": 8,
    }
    assert said(stack, **extra) in CHOICES


def test_completions_keep_to_a_form_too(stack: Stack) -> None:
    with stack.client(max_retries=0) as client:
        done = client.completions.create(
            model=stack.model,
            prompt=["La porte est", "Le bar est"],
            max_tokens=20,
            extra_body={"structured_outputs": {"choice": CHOICES}},
        )
    assert {choice.text for choice in done.choices} <= set(CHOICES)


def test_an_expression_that_is_none_is_refused_by_the_parameters_name(stack: Stack) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        said(stack, structured_outputs={"regex": "(geheim"})
    assert (refused.value.code, refused.value.param) == (
        "unsupported_parameter",
        "structured_outputs.regex",
    )
    assert "geheim" not in str(refused.value.body)


def test_what_servers_put_into_every_request_changes_nothing(stack: Stack) -> None:
    plain = said(stack)
    defaults = {
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "length_penalty": 1.0,
        "use_beam_search": False,
        "skip_special_tokens": True,
        "spaces_between_special_tokens": True,
        "add_generation_prompt": True,
        "continue_final_message": False,
        "include_stop_str_in_output": False,
        "ignore_eos": False,
        "min_tokens": 0,
        "best_of": 1,
        "stop": "",
        "structured_outputs": None,
        "guided_json": None,
    }
    assert said(stack, **defaults) == plain
