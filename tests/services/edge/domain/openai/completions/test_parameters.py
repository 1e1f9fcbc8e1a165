"""No field of a completion that OpenAI's SDK or vLLM's server knows falls through silently."""

import re
from pathlib import Path

import pytest
from openai.types.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)

from services.edge.domain.openai.completions.body import CompletionBody
from services.edge.domain.openai.completions.parameters import COMPLETION_NEUTRAL
from services.edge.domain.openai.parameters import IGNORED
from tests.services.edge.domain.openai.known_fields import fields_of_class, fields_of_params

PAGE = (Path(__file__).parents[6] / "docs" / "openai-compatibility.md").read_text()
SECTION = PAGE[PAGE.index("## Completions") : PAGE.index("## Bounds")]
KNOWN = {*CompletionBody.__struct_fields__, *IGNORED, *COMPLETION_NEUTRAL}


def test_no_field_of_openai_falls_through_silently() -> None:
    fields = fields_of_params(CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming)
    assert {"prompt", "suffix", "best_of", "stream"} <= fields
    assert fields <= KNOWN


def test_no_field_of_vllm_falls_through_silently() -> None:
    fields = fields_of_class("completion", "CompletionRequest")
    assert {"prompt", "echo", "add_special_tokens"} <= fields
    assert fields <= KNOWN


def test_a_field_has_one_place() -> None:
    assert len(KNOWN) == len(CompletionBody.__struct_fields__) + len(IGNORED) + len(COMPLETION_NEUTRAL)


@pytest.mark.parametrize("name", sorted(CompletionBody.__struct_fields__))
def test_what_is_served_is_documented(name: str) -> None:
    assert re.search(rf"\| .*`{name}[`.]", PAGE)


@pytest.mark.parametrize(
    "name", ["prompt", "max_tokens", "logprobs", "echo", "best_of", "suffix", "add_special_tokens"]
)
def test_what_differs_from_a_chat_is_in_the_section_of_completions(name: str) -> None:
    assert f"`{name}`" in SECTION


@pytest.mark.parametrize("name", sorted(COMPLETION_NEUTRAL))
def test_what_is_refused_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE
