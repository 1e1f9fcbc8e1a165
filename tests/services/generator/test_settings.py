from pathlib import Path
from typing import Any

import pytest
import yaml

from services.generator.domain.engine_parameters import ServedModel, SimulatedParameters, VllmParameters
from services.generator.domain.queueing import QueueOrder
from services.generator.domain.ticket import Replica
from services.generator.settings import GeneratorSettings
from services.runtime.settings import SettingsError, load_settings

SHARED = {
    "region": "eu-fr",
    "catalog": {
        "regions": [{"number": 4, "name": "eu-fr"}],
        "models": [{"number": 9, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 512}],
    },
}
OWN = {
    "listen": {"address": "127.0.0.1:8402"},
    "router": {"address": "127.0.0.1:8401"},
    "emitter": {"address": "127.0.0.1:8403"},
    "replica": 3,
    "model": "tiny-eu",
    "model_path": "deploy/models/tiny-eu",
    "ticket_public_keys": {1: "ticket-1.pub"},
    "cache_salt_secret_file": "cache-salt.secret",
}


def settings(tmp_path: Path, **changes: Any) -> GeneratorSettings:
    path = tmp_path / "comptoir.yaml"
    path.write_text(yaml.safe_dump({**SHARED, "generator": {**OWN, **changes}}))
    return load_settings(GeneratorSettings, section="generator", path=path, environ={})


def test_the_defaults_are_a_vllm_replica_that_reaches_nothing(tmp_path: Path) -> None:
    told = settings(tmp_path)
    assert told.identity == Replica(number=3, region=4, model=9)
    assert told.address == "127.0.0.1:8402"
    assert told.served_model == ServedModel(1024, "deploy/models/tiny-eu")
    assert told.engine_parameters == VllmParameters()
    assert not told.vllm.is_download_allowed


@pytest.mark.parametrize(
    ("changes", "gpus"),
    [
        ({}, 0),
        ({"vllm": {"tensor_parallel_size": 4}}, 4),
        ({"gpus": 2, "vllm": {"tensor_parallel_size": 4}}, 2),
        ({"engine": "simulated", "vllm": {"tensor_parallel_size": 4}}, 0),
    ],
)
def test_as_many_accelerators_are_paid_for_as_share_the_model_or_as_is_said(
    tmp_path: Path, changes: dict[str, Any], gpus: int
) -> None:
    assert settings(tmp_path, gpu_class=7, **changes).identity == Replica(3, 4, 9, gpu_class=7, gpus=gpus)


def test_no_generation_outlives_its_lease_and_no_settlement_is_kept_much_longer(tmp_path: Path) -> None:
    told = settings(tmp_path)
    assert told.max_request_seconds == 600.0
    assert told.settlement_lifetime_seconds == 660.0


def test_a_simulated_replica_needs_no_model_folder(tmp_path: Path) -> None:
    told = settings(tmp_path, engine="simulated", model_path="", simulated={"ttft_seconds": 1.5})
    assert told.engine_parameters == SimulatedParameters(ttft_seconds=1.5)


def test_vectors_of_a_server_need_one_that_makes_them_and_keeps_inputs_apart(tmp_path: Path) -> None:
    model = {"number": 9, "name": "tiny-eu", "context_tokens": 512, "max_output_tokens": 0, "task": "embed"}

    def started(**server: str) -> GeneratorSettings:
        path = tmp_path / "comptoir.yaml"
        catalog = {"regions": [{"number": 4, "name": "eu-fr"}], "models": [model]}
        own = {**OWN, "engine": "openai_server", "openai_server": server}
        path.write_text(yaml.safe_dump({**SHARED, "catalog": catalog, "generator": own}))
        return load_settings(GeneratorSettings, section="generator", path=path, environ={})

    told = started(kind="llama_cpp", prefix_cache="off")
    assert (told.served_model.task, told.first_answer_seconds) == ("embed", 600.0)
    with pytest.raises(SettingsError, match=r"set openai_server\.prefix_cache to off"):
        started(kind="llama_cpp")
    with pytest.raises(SettingsError, match="no vectors with a server of vllm"):
        started(kind="vllm")


def test_the_seconds_that_classes_yield_are_settings(tmp_path: Path) -> None:
    assert settings(tmp_path).queue == QueueOrder()
    changed = settings(tmp_path, queue={"default_yields_seconds": 1, "batch_yields_seconds": 2})
    assert changed.queue == QueueOrder(default_yields_seconds=1, batch_yields_seconds=2)


def test_no_message_is_larger_than_a_prompt_of_the_model_can_be(tmp_path: Path) -> None:
    assert settings(tmp_path).max_request_bytes == 1024 * (64 + 16) + 64 * 1024


def test_callers_may_be_told_another_address(tmp_path: Path) -> None:
    assert settings(tmp_path, advertise_address="generator-3:8402").address == "generator-3:8402"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"model": "unknown"}, "model is not in catalog"),
        ({"model_path": ""}, "engine vllm needs model_path"),
        ({"replica": 0}, "replica"),
        ({"ticket_public_keys": {}}, "ticket_public_keys"),
        ({"listen": {"address": "0.0.0.0:8402"}}, "needs tls"),
        ({"tickets": 1}, "tickets: is not a known key"),
        ({"simulated": {"itl_seconds": 0}}, "itl_seconds"),
        ({"vllm": {"context_tokens": 1}}, "vllm.context_tokens: is not a known key"),
        ({"queue": {"batch_yields_seconds": 1}}, "batch_yields_seconds must not be below"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(
    tmp_path: Path, changes: dict[str, Any], what: str
) -> None:
    with pytest.raises(SettingsError) as error:
        settings(tmp_path, **changes)
    assert what in str(error.value)
    assert "\n" not in str(error.value)


def test_the_routers_of_a_region_are_a_list_of_different_addresses(tmp_path: Path) -> None:
    assert len(settings(tmp_path).routers) == 1
    further = [{"address": "127.0.0.1:8501"}, {"address": "127.0.0.1:8502"}]
    ports = [one.address.rpartition(":")[2] for one in settings(tmp_path, further_routers=further).routers]
    assert ports == ["8401", "8501", "8502"]
    with pytest.raises(SettingsError, match="different addresses"):
        settings(tmp_path, further_routers=[{"address": "127.0.0.1:8401"}])
