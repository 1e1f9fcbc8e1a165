import json
from dataclasses import fields
from pathlib import Path

import pytest

from services.generator.adapters.vllm.arguments import engine_arguments, sampling_arguments
from services.generator.domain.engine_parameters import ServedModel, VllmParameters
from services.generator.domain.sampling import Sampling

MODEL = ServedModel(64, "model")


def test_only_on_a_cpu_are_prompts_prefilled_whole() -> None:
    parameters = VllmParameters(max_running_requests=64)
    model = ServedModel(4096, "model")
    told = {is_cpu: engine_arguments(model, parameters, is_cpu=is_cpu) for is_cpu in (True, False)}
    prefill = {
        is_cpu: (own["enable_chunked_prefill"], own["max_num_batched_tokens"]) for is_cpu, own in told.items()
    }
    assert prefill == {True: (False, 4096 + 64), False: (None, None)}


def test_the_engine_computes_in_what_the_settings_say_and_chooses_where_they_leave_it() -> None:
    assert engine_arguments(MODEL, VllmParameters(), is_cpu=True)["dtype"] == "auto"
    assert engine_arguments(MODEL, VllmParameters(dtype="float32"), is_cpu=True)["dtype"] == "float32"


@pytest.mark.parametrize(
    ("config", "is_cpu", "told"),
    [
        ({"dtype": "float32"}, True, "float32"),
        ({"torch_dtype": "float32"}, True, "float32"),
        ({"text_config": {"dtype": "float32"}}, True, "float32"),
        ({"dtype": "float32"}, False, "auto"),
        ({"dtype": "bfloat16"}, True, "auto"),
        ({}, True, "auto"),
        ([], True, "auto"),
    ],
)
def test_on_a_cpu_a_model_of_float32_stays_one_unless_the_settings_say_otherwise(
    tmp_path: Path, config: object, is_cpu: bool, told: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    model = ServedModel(64, str(tmp_path))
    assert engine_arguments(model, VllmParameters(), is_cpu=is_cpu)["dtype"] == told
    chosen = VllmParameters(dtype="bfloat16")
    assert engine_arguments(model, chosen, is_cpu=is_cpu)["dtype"] == "bfloat16"


def test_engines_that_share_a_gpu_are_told_how_much_of_it_must_be_free() -> None:
    told = engine_arguments(MODEL, VllmParameters(gpu_memory_utilization=0.3), is_cpu=False)
    assert told["gpu_memory_utilization"] == 0.3


def test_nothing_of_a_request_is_logged_and_no_code_of_a_model_runs() -> None:
    told = engine_arguments(MODEL, VllmParameters(), is_cpu=False)
    assert not told["enable_log_requests"]
    assert not told["trust_remote_code"]


def test_every_sampling_parameter_reaches_vllm_under_its_own_name() -> None:
    names = {field.name for field in fields(Sampling)} - {"max_output_tokens", "n"}
    assert set(sampling_arguments(Sampling())) == names


def test_a_negative_seed_is_a_seed_and_not_vllms_word_for_none() -> None:
    assert sampling_arguments(Sampling(seed=-1))["seed"] == 2**63 - 17
    assert sampling_arguments(Sampling())["seed"] is None


def test_the_last_of_all_choices_has_a_seed_that_vllm_can_keep_on_a_gpu() -> None:
    for seed in (-(2**63), -1, 2**63 - 1):
        assert 0 <= sampling_arguments(Sampling(seed=seed))["seed"] + 15 < 2**63


def test_stop_strings_come_as_the_list_that_vllm_wants() -> None:
    assert sampling_arguments(Sampling(stop=("a", "b")))["stop"] == ["a", "b"]
