"""The tables of known fields hold every field that OpenAI's SDK and vLLM's server know."""

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from buf.validate import validate_pb2
from comptoir.generator.v1 import generator_pb2
from msgspec import Meta
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)

from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.openai.parameters import IGNORED, NEUTRAL, SamplingParameters
from tests.services.edge.domain.openai.known_fields import fields_of_class, fields_of_params

PAGE = (Path(__file__).parents[5] / "docs" / "openai-compatibility.md").read_text()


KNOWN = {*ChatBody.__struct_fields__, *IGNORED, *NEUTRAL}


def fields_of_openai() -> set[str]:
    return fields_of_params(CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming)


def fields_of_vllm() -> set[str]:
    return fields_of_class("chat_completion", "ChatCompletionRequest")


def test_the_lists_that_are_compared_are_whole() -> None:
    assert {"messages", "stream", "top_p"} <= fields_of_openai()
    assert {"messages", "top_k", "cache_salt"} <= fields_of_vllm()


def test_no_field_of_openai_falls_through_silently() -> None:
    assert [name for name in sorted(fields_of_openai()) if name not in KNOWN] == []


def test_no_field_of_vllm_falls_through_silently() -> None:
    assert [name for name in sorted(fields_of_vllm()) if name not in KNOWN] == []


def test_a_field_has_one_place() -> None:
    assert len(KNOWN) == len(ChatBody.__struct_fields__) + len(IGNORED) + len(NEUTRAL)


@pytest.mark.parametrize("name", sorted(IGNORED))
def test_what_is_ignored_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", sorted(NEUTRAL))
def test_what_is_refused_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", sorted(ChatBody.__struct_fields__))
def test_what_is_served_is_documented(name: str) -> None:
    assert re.search(rf"\| .*`{name}[`.]", PAGE)


def ranges_of_the_schema(name: str) -> tuple[float | None, float | None]:
    rules = generator_pb2.Sampling.DESCRIPTOR.fields_by_name[name].GetOptions().Extensions[validate_pb2.field]
    number = getattr(rules, rules.WhichOneof("type") or "float")
    if isinstance(number, validate_pb2.UInt32Rules) and not number.HasField("gte"):
        return 0, number.lte
    low = number.gte if number.HasField("gte") else number.gt if number.HasField("gt") else None
    return low, number.lte if number.HasField("lte") else None


def most_entries_of_the_schema(name: str) -> int | None:
    rules = generator_pb2.Sampling.DESCRIPTOR.fields_by_name[name].GetOptions().Extensions[validate_pb2.field]
    # Stop strings are counted where their bytes are.
    if name == "stop":
        return None
    return int(rules.map.max_pairs if name == "logit_bias" else rules.repeated.max_items)


@pytest.mark.parametrize("name", SamplingParameters.__struct_fields__)
def test_a_sampling_parameter_has_the_name_and_the_range_of_the_schema(name: str) -> None:
    field = generator_pb2.Sampling.DESCRIPTOR.fields_by_name[name]
    (meta,) = [meta for meta in metas_of(name) if meta.description]
    if field.is_repeated:
        assert meta.max_length == most_entries_of_the_schema(name)
    elif name not in ("seed", "ignore_eos"):
        assert (meta.gt if meta.ge is None else meta.ge, meta.le) == ranges_of_the_schema(name)
    elif name == "seed":
        assert (meta.ge, meta.le, field.type) == (-(2**63), 2**63 - 1, field.TYPE_INT64)


def metas_of(name: str) -> list[Meta]:
    (hint, _) = get_args(get_type_hints(SamplingParameters, include_extras=True)[name])
    return [meta for meta in hint.__metadata__ if isinstance(meta, Meta)]


def test_every_sampling_parameter_of_the_schema_is_served() -> None:
    # How many tokens is asked of the router, and each endpoint has its own form of logprobs.
    schema = set(generator_pb2.Sampling.DESCRIPTOR.fields_by_name) - {"max_output_tokens", "logprobs"}
    assert schema == set(SamplingParameters.__struct_fields__)
