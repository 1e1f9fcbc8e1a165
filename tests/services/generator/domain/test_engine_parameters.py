"""What an engine is told by default is what the settings say, and both kinds hold the model's own numbers."""

from dataclasses import FrozenInstanceError, asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from services.generator.domain.engine_parameters import (
    EngineParameters,
    SimulatedParameters,
    VllmParameters,
)
from services.generator.settings import SimulatedSettings, VllmSettings

# What the catalog and the model's folder say, which are no parameters of an engine's own.
OF_THE_MODEL = {"context_tokens", "model_path"}
COUNT = st.integers(min_value=1, max_value=2**31)
SECONDS = st.floats(min_value=0.001, max_value=60)
SIMULATED = st.builds(SimulatedParameters, COUNT, SECONDS, SECONDS, COUNT, COUNT, COUNT, COUNT)
VLLM = st.builds(
    VllmParameters,
    st.text(),
    COUNT,
    dtype=st.sampled_from(["auto", "float32", "bfloat16", "float16"]),
    kv_cache_memory_bytes=COUNT,
    max_running_requests=COUNT,
    max_batched_tokens=COUNT,
    tensor_parallel_size=COUNT,
    cpu_threads=COUNT,
    is_eager=st.booleans(),
    is_download_allowed=st.booleans(),
)


def _own(parameters: EngineParameters) -> dict[str, object]:
    return {name: value for name, value in asdict(parameters).items() if name not in OF_THE_MODEL}


@pytest.mark.parametrize(
    ("parameters", "settings"),
    [(SimulatedParameters(), SimulatedSettings()), (VllmParameters("a", 1), VllmSettings())],
)
def test_each_default_is_the_settings_default(parameters: EngineParameters, settings: BaseModel) -> None:
    assert _own(parameters) == settings.model_dump()


@given(SIMULATED | VLLM)
def test_every_parameter_can_be_set_and_comes_through_unchanged(parameters: EngineParameters) -> None:
    kind = SimulatedSettings if isinstance(parameters, SimulatedParameters) else VllmSettings
    settings = kind.model_validate(_own(parameters))
    model = {name: value for name, value in asdict(parameters).items() if name in OF_THE_MODEL}
    assert type(parameters)(**model, **settings.model_dump()) == parameters


@given(VLLM)
def test_the_longest_prompt_fits_one_step_beside_a_full_batch(parameters: VllmParameters) -> None:
    tokens = parameters.whole_prefill_tokens
    assert tokens >= parameters.context_tokens + parameters.max_running_requests
    assert tokens >= parameters.max_batched_tokens


@pytest.mark.parametrize("name", sorted(OF_THE_MODEL))
def test_the_models_own_numbers_are_not_set_beside_the_catalog(name: str) -> None:
    for kind in (SimulatedSettings, VllmSettings):
        with pytest.raises(ValidationError, match="Extra inputs"):
            kind.model_validate({name: 1})


def test_an_engine_cannot_change_what_it_was_told() -> None:
    with pytest.raises(FrozenInstanceError):
        SimulatedParameters().kv_blocks = 1  # type: ignore[misc] # what the test is about
    assert not VllmParameters("a", 1).is_download_allowed
