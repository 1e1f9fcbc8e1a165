"""Which generators a stack runs: so many of each model, by number; a wrong wish is one sentence."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.stack.config import build_config, generator_configs
from deploy.local.stack.errors import StackError
from deploy.local.stack.generators import generative_models, planned_generators
from deploy.local.stack.options import DEFAULT_MODEL, MOST_GENERATORS, Addresses, StackOptions
from deploy.local.stack.paths import DataPaths

EMBEDDING = {"embedding_model": "/models/vectors"}


def stack(**more: Any) -> StackOptions:
    return StackOptions(Path("/d"), engine="simulated", **more)


def of_file(text: str, **more: Any) -> StackOptions:
    return stack(overrides=yaml.safe_load(text), **more)


def documents(options: StackOptions) -> dict[str, dict[str, Any]]:
    addresses, paths = Addresses(options.port), DataPaths(options.data_dir)
    first = build_config(options, addresses, paths)
    return {"generator": first, **generator_configs(options, addresses, paths)}


def sections(options: StackOptions) -> dict[str, dict[str, Any]]:
    return {name: document["generator"] for name, document in documents(options).items()}


def test_one_model_has_one_generator_and_that_of_vectors_is_the_second() -> None:
    assert [(each.number, each.name) for each in planned_generators(stack(**EMBEDDING))] == [
        (1, "generator"),
        (2, "embedder"),
    ]


def test_each_model_has_as_many_replicas_as_were_asked_for_each_with_its_number() -> None:
    options = stack(model="/models/a", further_models=("/models/b",), replicas=2, **EMBEDDING)
    assert [(each.number, each.name, each.model) for each in planned_generators(options)] == [
        (1, "generator", "/models/a"),
        (2, "generator-2", "/models/a"),
        (3, "generator-3", "/models/b"),
        (4, "generator-4", "/models/b"),
        (5, "embedder", "/models/vectors"),
    ]


def test_a_replica_has_its_own_number_address_and_model_and_the_settings_of_all() -> None:
    options = of_file("generator: {max_requests: 7}", further_models=("/models/b",), replicas=2)
    found = sections(options)
    assert [section["replica"] for section in found.values()] == [1, 2, 3, 4]
    assert [section["model"] for section in found.values()] == ["tiny-eu", "tiny-eu", "b", "b"]
    for key in ("listen", "metrics_listen"):
        assert len({str(section[key]) for section in found.values()}) == len(found)
    assert {section["max_requests"] for section in found.values()} == {7}


def test_keys_go_on_with_the_models_that_they_had_when_a_model_is_added() -> None:
    catalog = documents(stack(further_models=("/models/b", "/models/c"), **EMBEDDING))["generator"]["catalog"]
    assert [(model["number"], model["name"]) for model in catalog["models"]] == [
        (1, "tiny-eu"),
        (2, "vectors"),
        (3, "b"),
        (4, "c"),
    ]


def test_the_first_request_for_another_model_waits_until_its_engine_has_started() -> None:
    assert "first_replica_seconds" not in documents(stack(replicas=2))["generator"]["router"]
    assert (
        documents(stack(further_models=("/models/b",)))["generator"]["router"]["first_replica_seconds"] == 600
    )


def test_the_list_of_a_file_says_model_replicas_and_settings_of_each() -> None:
    options = of_file(
        f"""
        generator: {{vllm: {{max_running_requests: 8}}}}
        generators:
        - {{model: {DEFAULT_MODEL}, settings: {{vllm: {{kv_cache_memory_bytes: 64000000}}}}}}
        - {{model: /models/b, replicas: 2, settings: {{max_requests: 3}}}}
        """
    )
    assert generative_models(options) == [str(DEFAULT_MODEL), "/models/b"]
    found = sections(options)
    assert [section.get("max_requests") for section in found.values()] == [None, 3, 3]
    # What is said of one is not said of the others, and what is said of all is.
    assert [section["vllm"].get("kv_cache_memory_bytes") for section in found.values()] == [
        64_000_000,
        None,
        None,
    ]
    assert {section["vllm"]["max_running_requests"] for section in found.values()} == {8}
    assert all("generators" not in document for document in documents(options).values())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("generators: []", "empty"),
        ("generators: {model: /m}", "generators is wrong"),
        ("generators: [/m]", "generators.0 is wrong"),
        ("generators: [{replicas: 2}]", "generators.0.model is wrong"),
        ("generators: [{model: /m, replicas: 0}]", "generators.0.replicas is wrong"),
        ("generators: [{model: /m, size: 2}]", "generators.0.size is wrong"),
        ("generators: [{model: /m, settings: 2}]", "generators.0.settings is wrong"),
    ],
)
def test_a_list_that_is_none_is_one_sentence_with_the_place(text: str, place: str) -> None:
    with pytest.raises(StackError, match=place):
        planned_generators(of_file(text))


@pytest.mark.parametrize("given", [{"replicas": 2}, {"model": "/m"}, {"further_models": ("/m",)}])
def test_a_list_and_options_that_say_the_same_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(StackError, match="leave --model and --replicas out"):
        planned_generators(of_file("generators: [{model: /m}]", **given))


def test_more_generators_than_a_stack_has_ports_for_are_refused() -> None:
    assert len(planned_generators(stack(replicas=MOST_GENERATORS))) == MOST_GENERATORS
    with pytest.raises(StackError, match="at most 32 generators, and 64"):
        planned_generators(stack(further_models=("/m",), replicas=MOST_GENERATORS))


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(StackError, match="same name"):
        documents(stack(model="/a/m", further_models=("/b/m",)))


def test_an_address_cannot_be_set_for_one_generator_either() -> None:
    with pytest.raises(StackError, match="may not set listen"):
        documents(of_file("generators: [{model: /m, settings: {listen: {address: x}}}]"))
