"""The tables of known fields hold every field that OpenAI's SDK and vLLM's server know."""

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import get_type_hints

import pytest
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)

from services.edge.domain.openai.known_fields import IGNORED, NEUTRAL, SERVED, is_known

PAGE = (Path(__file__).parents[5] / "docs" / "openai-compatibility.md").read_text()


def fields_of_openai() -> set[str]:
    return {
        name
        for params in (CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming)
        for name in get_type_hints(params)
    }


def fields_of_vllm() -> set[str]:
    """Read from the source: importing vLLM takes seconds, and its names stand in the class."""
    spec = find_spec("vllm")
    assert spec is not None
    assert spec.origin is not None
    protocol = Path(spec.origin).parent / "entrypoints" / "openai" / "chat_completion" / "protocol.py"
    (request,) = [
        node
        for node in ast.parse(protocol.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == "ChatCompletionRequest"
    ]
    return {
        node.target.id
        for node in request.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0] != "_"
    }


def test_the_lists_that_are_compared_are_whole() -> None:
    assert {"messages", "stream", "top_p"} <= fields_of_openai()
    assert {"messages", "top_k", "cache_salt"} <= fields_of_vllm()


def test_no_field_of_openai_falls_through_silently() -> None:
    assert [name for name in sorted(fields_of_openai()) if not is_known(name)] == []


def test_no_field_of_vllm_falls_through_silently() -> None:
    assert [name for name in sorted(fields_of_vllm()) if not is_known(name)] == []


def test_a_field_has_one_place() -> None:
    assert not SERVED & IGNORED
    assert not (SERVED | IGNORED) & set(NEUTRAL)


@pytest.mark.parametrize("name", sorted(IGNORED))
def test_what_is_ignored_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", sorted(NEUTRAL))
def test_what_is_refused_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE
