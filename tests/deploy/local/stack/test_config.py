"""The settings of a stack follow from a few choices, and what the person wrote wins."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.stack.config import (
    build_config,
    generator_configs,
    merge,
    router_configs,
    without_unknown_embedder,
)
from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_EMBEDDING_MODEL, Addresses, StackOptions
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.plan import ENGINE_START_SECONDS

LEAVES = st.one_of(st.integers(), st.text(max_size=5), st.none(), st.lists(st.integers(), max_size=2))
TREES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.text(max_size=3),
    st.recursive(LEAVES, lambda below: st.dictionaries(st.text(max_size=3), below, max_size=3), max_leaves=8),
    max_size=4,
)


def built(tmp_path: Path, **options: Any) -> dict[str, Any]:
    chosen = StackOptions(data_dir=tmp_path, **options)
    addresses = Addresses(chosen.port, chosen.kafka, chosen.clickhouse)
    return build_config(chosen, addresses, DataPaths(tmp_path))


def model_folder(tmp_path: Path, **content: Any) -> str:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(content))
    return str(folder)


def replaces_a_mapping(below: dict[str, Any], above: dict[str, Any]) -> bool:
    shared = [(below[key], above[key]) for key in set(below) & set(above) if isinstance(below[key], dict)]
    return any(not isinstance(new, dict) or replaces_a_mapping(old, new) for old, new in shared)


@given(tree=TREES)
def test_merging_nothing_or_itself_changes_nothing(tree: dict[str, Any]) -> None:
    assert merge(tree, {}) == tree
    assert merge({}, tree) == tree
    assert merge(tree, tree) == tree


@given(below=TREES, above=TREES)
def test_every_override_is_in_the_result_and_the_rest_stays(
    below: dict[str, Any], above: dict[str, Any]
) -> None:
    before = json.dumps([below, above], sort_keys=True)
    try:
        merged = merge(below, above)
    except StackError:
        assert replaces_a_mapping(below, above)
        return
    assert not replaces_a_mapping(below, above)
    assert set(merged) == set(below) | set(above)
    assert merge(merged, above) == merged
    for key in set(below) - set(above):
        assert merged[key] == below[key]
    for key, value in above.items():
        assert merged[key] == value or isinstance(value, dict)
    assert json.dumps([below, above], sort_keys=True) == before


def test_every_address_is_loopback_and_every_port_is_its_own(tmp_path: Path) -> None:
    document = built(tmp_path, port=9000)
    ports = [
        document["edge"]["listen"]["port"],
        *(
            int(document[name]["listen"]["address"].split(":")[1])
            for name in ("router", "generator", "usage")
        ),
        int(document["local_clickhouse"]["listen"].split(":")[1]),
        int(document["local_kafka"]["listen"].split(":")[1]),
        document["local_kafka"]["controller_port"],
    ]
    assert sorted(ports) == [port for port in range(9000, 9008) if port != 9003]
    assert document["edge"]["listen"]["host"] == "127.0.0.1"


def test_no_other_local_user_reaches_what_only_processes_and_operators_call(tmp_path: Path) -> None:
    document = built(tmp_path)
    router, emitter = document["router"], document["emitter"]
    sockets = [router["replica_listen"], router["admin_listen"], emitter["listen"]]
    assert all(listen["address"].startswith(f"unix:{tmp_path}/") for listen in sockets)
    assert document["generator"]["router"] == router["replica_listen"]
    for process in ("edge", "router", "generator"):
        assert document[process]["emitter"] == emitter["listen"]


def test_secrets_are_file_paths_only(tmp_path: Path) -> None:
    text = json.dumps(built(tmp_path))
    assert "password_file" in text
    assert '"password"' not in text


def test_a_models_name_and_context_are_those_of_its_folder(tmp_path: Path) -> None:
    document = built(tmp_path, model=model_folder(tmp_path, max_position_embeddings=512))
    (model,) = document["catalog"]["models"]
    assert (model["name"], model["context_tokens"]) == ("my-model", 512)
    assert document["generator"]["model"] == "my-model"


@pytest.mark.parametrize(
    ("template", "form"),
    [
        ("{{- '<think>\\n' if enable_thinking else '' -}}", "deepseek_v3"),
        ("{%- if enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}", "qwen3"),
        ("{{- content.split('</think>')[-1] }}", "qwen3"),
        ("{{- content }}", None),
    ],
)
def test_a_template_says_whether_its_model_thinks_by_itself(
    tmp_path: Path, template: str, form: str | None
) -> None:
    folder = model_folder(tmp_path, max_position_embeddings=512)
    (Path(folder) / "chat_template.jinja").write_text(template)
    (model,) = built(tmp_path, model=folder)["catalog"]["models"]
    assert model.get("reasoning_format") == form


def test_an_effort_leaves_tiny_eu_words_for_an_answer_and_other_models_time_to_think(tmp_path: Path) -> None:
    (tiny,) = built(tmp_path)["catalog"]["models"]
    folder = model_folder(tmp_path, max_position_embeddings=512)
    (Path(folder) / "chat_template.jinja").write_text("{{- '<think>\\n' if enable_thinking else '' -}}")
    (other,) = built(tmp_path, model=folder)["catalog"]["models"]
    budgets, longer = (
        {name: effort["thinking_token_budget"] for name, effort in model["reasoning_efforts"].items()}
        for model in (tiny, other)
    )
    assert budgets.keys() == longer.keys()
    assert all(budget <= 16 for name, budget in budgets.items() if name != "none")
    assert longer["high"] == 8192


def test_kafka_and_clickhouse_of_others_are_used_where_given(tmp_path: Path) -> None:
    document = built(tmp_path, kafka="10.0.0.1:9092", clickhouse="https://store.internal:8443")
    assert document["emitter"]["kafka"]["bootstrap"] == "10.0.0.1:9092"
    assert document["usage"]["kafka"]["bootstrap"] == "10.0.0.1:9092"
    assert document["usage"]["clickhouse"]["url"] == "https://store.internal:8443"


def test_vectors_are_waited_for_from_the_start_since_their_engine_starts_last(tmp_path: Path) -> None:
    with_vectors = built(tmp_path, embedding_model=DEFAULT_EMBEDDING_MODEL)
    assert with_vectors["router"]["first_replica_seconds"] == ENGINE_START_SECONDS
    assert "first_replica_seconds" not in built(tmp_path)["router"]


def test_overrides_win(tmp_path: Path) -> None:
    document = built(tmp_path, overrides={"usage": {"retention_days": 9}, "log_level": "debug"})
    assert document["usage"]["retention_days"] == 9
    assert document["usage"]["listen"] == {"address": "127.0.0.1:8407"}
    assert document["log_level"] == "debug"


@pytest.mark.parametrize("model", ["./nowhere", "/nowhere/at/all", "nowhere", "~/models/x"])
def test_a_model_that_is_not_there_is_one_sentence(tmp_path: Path, model: str) -> None:
    with pytest.raises(StackError, match="no model"):
        built(tmp_path, model=model)


def test_a_name_of_the_hub_asks_for_the_download(tmp_path: Path) -> None:
    document = built(tmp_path, model="org/name-1B")
    assert document["generator"]["model"] == "name-1B"
    assert document["generator"]["vllm"]["is_download_allowed"]


@pytest.mark.parametrize("content", [{}, {"max_position_embeddings": "many"}])
def test_a_folder_that_is_no_model_is_one_sentence(tmp_path: Path, content: dict[str, Any]) -> None:
    folder = model_folder(tmp_path, **content)
    with pytest.raises(StackError, match="complete model folder"):
        built(tmp_path, model=folder)
    assert built(tmp_path, model=folder, engine="simulated")["generator"]["engine"] == "simulated"


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"generator": 5}, "mapping below generator"),
        ({"usage": None}, "mapping below usage"),
        ({"edge": {"listen": {"port": 1}}}, "follow from --port"),
        ({"router": {"admin_listen": {"address": "unix:/x"}}}, "follow from --port"),
        ({"local_kafka": {"controller_port": 1}}, "follow from --port"),
    ],
)
def test_an_override_that_cannot_work_is_one_sentence(
    tmp_path: Path, overrides: dict[str, Any], says: str
) -> None:
    with pytest.raises(StackError, match=says):
        built(tmp_path, overrides=overrides)


def test_a_model_of_long_context_is_served_with_one_that_fits(tmp_path: Path) -> None:
    document = built(tmp_path, model=model_folder(tmp_path, max_position_embeddings=131072))
    assert document["catalog"]["models"][0]["context_tokens"] == 8192


def test_a_model_of_vectors_is_in_the_catalog_and_its_generator_has_a_section_of_its_own(
    tmp_path: Path,
) -> None:
    options = StackOptions(data_dir=tmp_path, embedding_model=str(DEFAULT_EMBEDDING_MODEL))
    addresses = Addresses(options.port)
    document = build_config(options, addresses, DataPaths(tmp_path))
    assert document["catalog"]["models"][1] == {
        "number": 2,
        "name": "tiny-embed-eu",
        "task": "embed",
        "context_tokens": 512,
    }
    own = generator_configs(options, addresses, DataPaths(tmp_path))["embedder"]
    assert {key for key in own if own[key] != document[key]} == {"generator"}
    assert own["generator"]["replica"] != document["generator"]["replica"]
    assert own["generator"]["listen"] != document["generator"]["listen"]
    assert own["generator"]["metrics_listen"] != document["generator"]["metrics_listen"]
    assert own["generator"]["model"] == "tiny-embed-eu"


@pytest.mark.parametrize("models", ["[{number: 1, name: other}]", "[]", "none", "[none]"])
def test_a_catalog_of_ones_own_without_the_model_of_vectors_needs_no_generator_for_it(
    tmp_path: Path, models: str
) -> None:
    overrides = yaml.safe_load(f"catalog: {{models: {models}}}")
    options = StackOptions(tmp_path, embedding_model=str(DEFAULT_EMBEDDING_MODEL), overrides=overrides)
    document = build_config(options, Addresses(options.port), DataPaths(tmp_path))
    assert without_unknown_embedder(options, document).embedding_model == ""


def test_a_catalog_that_has_the_model_of_vectors_has_its_generator(tmp_path: Path) -> None:
    options = StackOptions(tmp_path, embedding_model=str(DEFAULT_EMBEDDING_MODEL))
    document = build_config(options, Addresses(options.port), DataPaths(tmp_path))
    assert without_unknown_embedder(options, document) == options


def test_every_process_knows_all_routers_and_each_of_these_has_its_number_and_its_addresses(
    tmp_path: Path,
) -> None:
    options = StackOptions(data_dir=tmp_path, routers=3, overrides={"router": {"hold_seconds": 7}})
    addresses, paths = Addresses(options.port), DataPaths(tmp_path)
    document = build_config(options, addresses, paths)
    further = router_configs(options, addresses, paths)
    sections = [document["router"], *(own["router"] for own in further.values())]
    assert list(further) == ["router-2", "router-3"]
    assert [section.get("number", 1) for section in sections] == [1, 2, 3]
    for caller, listener in (("edge", "listen"), ("generator", "replica_listen")):
        known = [document[caller]["router"], *document[caller]["further_routers"]]
        assert known == [section[listener] for section in sections]
    assert {section["hold_seconds"] for section in sections} == {7}
    assert len({section["database_file"] for section in sections}) == 1
    assert len({section["admin_listen"]["address"] for section in sections}) == 3
    assert router_configs(StackOptions(data_dir=tmp_path), addresses, paths) == {}
