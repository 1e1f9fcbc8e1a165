"""The plan: every process once, with a probe, drained in an order in which nothing is lost."""

import sys
from pathlib import Path

import pytest

from deploy.local.stack.options import Addresses, StackOptions
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.plan import DRAIN_ORDER, Probe, ProcessPlan, build_plan, drain_place, is_sentence


def plan(**options: str | int | tuple[str, ...]) -> dict[str, ProcessPlan]:
    chosen = StackOptions(data_dir=Path("/d"), **{"console": True, **options})  # type: ignore[arg-type] # by name
    addresses = Addresses(chosen.port, chosen.kafka, chosen.clickhouse)
    return {entry.name: entry for entry in build_plan(chosen, addresses, DataPaths(Path("/d")))}


def test_every_process_is_planned_and_drained_once() -> None:
    assert sorted([*plan(), "embedder"]) == sorted(DRAIN_ORDER)
    assert sorted(plan(embedding_model="/m")) == sorted(DRAIN_ORDER)
    assert all(entry.arguments[0] == sys.executable for entry in plan().values())
    assert all(entry.arguments[-2:] == ("--config", "/d/comptoir.yaml") for entry in plan().values())


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({"kafka": "k:1"}, {"kafka"}),
        ({"clickhouse": "http://c:1"}, {"clickhouse"}),
        ({"kafka": "k:1", "clickhouse": "http://c:1"}, {"kafka", "clickhouse"}),
    ],
)
def test_what_others_run_is_not_started(options: dict[str, str], missing: set[str]) -> None:
    found = plan(**options)
    assert set(DRAIN_ORDER) - set(found) == missing | {"embedder"}
    assert not set(found["usage"].after) & missing


def test_whom_a_process_waits_for_is_planned_and_comes_before() -> None:
    names = list(plan())
    for entry in plan().values():
        assert all(names.index(before) < names.index(entry.name) for before in entry.after)


def test_what_keeps_the_records_yields_to_nobody_because_it_would_get_nothing() -> None:
    assert {name: entry.niceness for name, entry in plan().items() if entry.niceness} == {"generator": 5}


def test_a_model_may_take_as_long_to_load_as_the_engine_may_start() -> None:
    # The edge is ready once a replica is.
    assert plan()["edge"].start_seconds == plan()["generator"].start_seconds >= 600


def test_only_the_pipeline_and_the_console_may_start_late_because_requests_do_without_them() -> None:
    late = [name for name, entry in plan().items() if not entry.is_needed_by_requests]
    assert late == ["usage", "console"]


def test_nobody_waits_for_the_console_and_a_stack_may_be_without() -> None:
    assert not plan()["console"].is_awaited
    assert plan()["console"].probe == Probe("http", "http://127.0.0.1:8414/healthz")
    assert "console" not in plan(console=False)


def test_what_makes_vectors_starts_behind_the_engine_that_answers_and_nothing_waits_for_it() -> None:
    found = plan(embedding_model="/m", console=False)
    assert [name for name, entry in found.items() if not entry.is_awaited] == ["embedder"]
    assert found["embedder"].after == ("generator",)
    assert found["embedder"].niceness == found["generator"].niceness > 0
    assert found["embedder"].arguments[-1] == "/d/comptoir-embedder.yaml"
    assert not any("embedder" in entry.after for entry in found.values())


def test_replicas_beside_the_first_start_behind_it_and_nothing_waits_for_them() -> None:
    found = plan(replicas=2, further_models=("/other",), embedding_model="/m", console=False)
    further = ["generator-2", "generator-3", "generator-4", "embedder"]
    assert [name for name, entry in found.items() if not entry.is_awaited] == further
    assert {found[name].after for name in further} == {("generator",)}
    assert found["generator-3"].arguments[-1] == "/d/comptoir-generator-3.yaml"
    assert found["generator-3"].title == "engine 3 (vLLM)"
    assert len({entry.probe.where for entry in found.values()}) == len(found)


def test_a_replica_drains_at_the_place_of_its_kind() -> None:
    assert drain_place("generator-12") == drain_place("generator") < drain_place("router")
    assert [drain_place(name) for name in DRAIN_ORDER] == list(range(len(DRAIN_ORDER)))


def test_requests_end_before_what_records_them() -> None:
    order = DRAIN_ORDER.index
    assert order("edge") < order("generator") < order("emitter") < order("usage") < order("clickhouse")
    assert order("router") < order("emitter") < order("kafka")


def test_a_sentence_for_people_is_told_from_a_log_line() -> None:
    assert is_sentence("comptoir router: the address is taken.")
    assert not is_sentence('{"event": "comptoir router: x"}')
    assert not is_sentence("Traceback (most recent call last):")


def test_routers_beside_the_first_start_behind_it_and_requests_wait_for_them() -> None:
    found = plan(routers=3)
    assert [name for name in found if name.startswith("router")] == ["router", "router-2", "router-3"]
    assert found["router-2"].after == ("router",)
    assert found["router-2"].is_awaited
    assert found["router-2"].arguments[-1] == "/d/comptoir-router-2.yaml"
    assert len({entry.probe.where for entry in found.values()}) == len(found)
    assert drain_place("router-2") == drain_place("router")
