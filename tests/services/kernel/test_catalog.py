"""The catalog: numbers and names are unique, and either finds the entry."""

from typing import Any

import pytest
from buf.validate import validate_pb2
from comptoir.usage.v1.usage_pb2 import Admission, Generation
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.kernel.catalog import MAX_COUNTED_TOKENS, Catalog, Model, Region, Task

REGION = {"number": 1, "name": "eu-fr"}
MODEL = {"number": 1, "name": "tiny-eu", "context_tokens": 512, "max_output_tokens": 256}

VECTORS = {"number": 2, "name": "vectors", "context_tokens": 512, "task": "embed"}


def catalog(
    regions: list[dict[str, Any]] | None = None, models: list[dict[str, Any]] | None = None
) -> Catalog:
    return Catalog.model_validate({"regions": regions or [REGION], "models": models or [MODEL]})


def test_entries_are_found_by_number_and_by_name() -> None:
    found = catalog(
        [REGION, {"number": 7, "name": "eu-de"}], [MODEL, {**MODEL, "number": 9, "name": "other"}]
    )
    assert found.region_by_name("eu-de") == Region(number=7, name="eu-de")
    assert found.region_by_number(1) == Region(number=1, name="eu-fr")
    assert found.model_by_name("other") == Model.model_validate({**MODEL, "number": 9, "name": "other"})
    assert found.model_by_number(9) == found.model_by_name("other")


@given(name=st.text(max_size=20), number=st.integers())
def test_what_is_not_there_is_none(name: str, number: int) -> None:
    found = catalog()
    assert (found.region_by_name(name) is None) == (name != "eu-fr")
    assert (found.model_by_name(name) is None) == (name != "tiny-eu")
    assert (found.region_by_number(number) is None) == (number != 1)
    assert (found.model_by_number(number) is None) == (number != 1)


@pytest.mark.parametrize(
    ("regions", "models"),
    [
        ([REGION, {"number": 1, "name": "eu-de"}], [MODEL]),
        ([REGION, {"number": 2, "name": "eu-fr"}], [MODEL]),
        ([REGION], [MODEL, {**MODEL, "number": 2}]),
        ([REGION], [MODEL, {**MODEL, "name": "other"}]),
        ([{"number": 0, "name": "eu-fr"}], [MODEL]),
        ([{"number": 1, "name": "Nowhere At All"}], [MODEL]),
        ([REGION], [{**MODEL, "context_tokens": 0}]),
        ([REGION], [{**MODEL, "max_output_tokens": 0}]),
        ([REGION], [{**MODEL, "task": "embed"}]),
        ([REGION], [{**MODEL, "task": "paint"}]),
        ([{**REGION, "default_embedding_model": "tiny-eu"}], [MODEL]),
        ([{**REGION, "default_model": "vectors"}], [VECTORS]),
        ([REGION], [{**MODEL, "colour": "red"}]),
    ],
)
def test_doubles_and_nonsense_are_refused(
    regions: list[dict[str, Any]], models: list[dict[str, Any]]
) -> None:
    with pytest.raises(ValidationError):
        catalog(regions, models)


def test_a_region_is_in_the_eu_unless_it_says_otherwise() -> None:
    assert Region(number=1, name="eu-fr").is_eu
    assert not Region(number=2, name="us-east", is_eu=False).is_eu


OLD = {"name": "old", "deprecated_at_seconds": 1_780_000_000}


def test_a_name_stands_for_one_model() -> None:
    found = catalog(
        [{**REGION, "default_model": "other"}, {"number": 2, "name": "eu-de"}],
        [
            {**MODEL, "aliases": ["b", "a"], "replaces": [OLD, {**OLD, "name": "gone"}]},
            {**MODEL, "number": 2, "name": "other"},
            {**MODEL, "number": 3, "name": "gone"},
        ],
    )
    france, germany = found.regions
    names = ["other", "tiny-eu", "a", "b", "default", "gone", "old"]
    assert [name.name for name in found.names_in(france)] == names
    assert [name.name for name in found.names_in(germany)] == [name for name in names if name != "default"]
    for name in found.names_in(france):
        assert found.model_name(name.name, france) is not None
        assert (name.model.number == 2) == (name.name in {"other", "default"})
        assert (name.retired is not None) == (name.name in {"gone", "old"})
    gone = found.model_name("gone")
    assert gone is not None
    assert (gone.model.number, sorted(gone.numbers)) == (1, [1, 3])
    assert found.model_name("") is found.model_name("default") is found.model_name("", germany) is None


@pytest.mark.parametrize(
    ("region", "models"),
    [
        ({}, [{**MODEL, "aliases": ["tiny-eu"]}]),
        ({}, [{**MODEL, "aliases": ["a", "a"]}]),
        ({}, [{**MODEL, "aliases": [""]}]),
        ({}, [{**MODEL, "aliases": ["a" * 257]}]),
        ({}, [{**MODEL, "aliases": ["default"]}]),
        ({}, [{**MODEL, "name": "default"}]),
        ({}, [{**MODEL, "aliases": ["old"], "replaces": [OLD]}]),
        ({}, [{**MODEL, "replaces": [OLD, OLD]}]),
        ({}, [{**MODEL, "replaces": [{**OLD, "name": "tiny-eu"}]}]),
        ({}, [{**MODEL, "replaces": [{**OLD, "sunset_at_seconds": 1}]}]),
        ({}, [{**MODEL, "aliases": ["other"]}, {**MODEL, "number": 2, "name": "other"}]),
        (
            {},
            [
                {**MODEL, "replaces": [{**OLD, "name": "other"}]},
                {**MODEL, "number": 2, "name": "other", "aliases": ["a"]},
            ],
        ),
        ({"default_model": "unknown"}, [MODEL]),
        ({"default_model": "a"}, [{**MODEL, "aliases": ["a"]}]),
        (
            {"default_model": "other"},
            [{**MODEL, "replaces": [{**OLD, "name": "other"}]}, {**MODEL, "number": 2, "name": "other"}],
        ),
    ],
)
def test_names_that_are_of_two_models_or_of_none_are_refused(
    region: dict[str, Any], models: list[dict[str, Any]]
) -> None:
    with pytest.raises(ValidationError):
        catalog([{**REGION, **region}], models)


NAMES = st.text(alphabet="ab", min_size=1, max_size=2)


@given(
    models=st.lists(
        st.tuples(NAMES, st.lists(NAMES, max_size=2), st.lists(NAMES, max_size=2)), min_size=1, max_size=3
    )
)
def test_whatever_is_accepted_has_one_answer_for_every_name(
    models: list[tuple[str, list[str], list[str]]],
) -> None:
    written = [
        {
            **MODEL,
            "number": number,
            "name": name,
            "aliases": aliases,
            "replaces": [{**OLD, "name": old} for old in olds],
        }
        for number, (name, aliases, olds) in enumerate(models, 1)
    ]
    try:
        found = catalog(models=written)
    except ValidationError:
        return
    said = [name.name for name in found.names_in(found.regions[0])]
    assert len(set(said)) == len(said)
    assert set(said) == {word for name, aliases, olds in models for word in (name, *aliases, *olds)}
    retired = {old for _, _, olds in models for old in olds}
    for name in found.names_in(found.regions[0]):
        assert found.model_name(name.name) == name
        assert name.model.name not in retired


def test_the_first_name_is_one_that_answers_and_the_default_where_there_is_one() -> None:
    models = [
        {**MODEL, "number": 1, "name": "a-vectors", "task": "embed", "max_output_tokens": 0},
        {**MODEL, "number": 2, "name": "b-large"},
        {**MODEL, "number": 3, "name": "c-small"},
    ]
    for default, first in (("", "b-large"), ("c-small", "c-small")):
        found = Catalog.model_validate({"regions": [{**REGION, "default_model": default}], "models": models})
        names = [name.name for name in found.names_in(found.regions[0])]
        assert names[0] == first
        assert [name for name in names if name != "default"][-1] == "a-vectors"


def test_a_region_has_a_default_model_for_each_task() -> None:
    region = {**REGION, "default_model": "tiny-eu", "default_embedding_model": "vectors"}
    found = catalog([region], [MODEL, VECTORS])
    for name in ("", "default"):
        for task, number in ((Task.GENERATE, 1), (Task.EMBED, 2)):
            named = found.model_name(name, found.regions[0], task)
            assert named is not None
            assert named.model.number == number


def test_what_makes_vectors_has_no_output_and_as_many_contexts_as_inputs() -> None:
    answers, vectors = catalog(models=[MODEL, VECTORS]).models
    assert (answers.max_output_tokens, answers.max_input_tokens) == (256, 512)
    assert (vectors.max_output_tokens, vectors.max_input_tokens) == (0, 512 * 2048)


def test_a_model_whose_largest_request_no_event_could_count_is_refused() -> None:
    fitting = {**MODEL, "context_tokens": 2**20, "max_output_tokens": 2**20}
    assert catalog(models=[fitting]).models[0].max_output_tokens == 2**20
    for larger in ("context_tokens", "max_output_tokens"):
        with pytest.raises(ValidationError, match="of one request that are counted"):
            catalog(models=[{**fitting, larger: 2**20 + 1}])


@pytest.mark.parametrize("name", ["reserved_tokens", "input_tokens", "output_tokens", "actual_kv_blocks"])
def test_events_count_as_many_tokens_as_the_catalog_says(name: str) -> None:
    fields = {**Admission.DESCRIPTOR.fields_by_name, **Generation.DESCRIPTOR.fields_by_name}
    assert fields[name].GetOptions().Extensions[validate_pb2.field].uint32.lte == MAX_COUNTED_TOKENS


def test_what_is_gone_keeps_its_name_and_its_number() -> None:
    gone, back = {"number": 7, "name": "was"}, {"number": 1, "name": "tiny-eu"}
    whole = {"regions": [REGION], "models": [MODEL], "former_regions": [{"number": 9, "name": "ae"}]}
    found = Catalog.model_validate({**whole, "former_models": [gone, back]})
    assert found.model_names == {7: "was", 1: "tiny-eu"}
    assert found.region_names == {9: "ae", 1: "eu-fr"}
    for former in ([{**back, "name": "other"}], [gone, gone]):
        with pytest.raises(ValidationError):
            Catalog.model_validate({**whole, "former_models": former})
