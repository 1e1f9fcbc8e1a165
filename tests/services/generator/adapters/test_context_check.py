import json
from pathlib import Path

import pytest

from deploy.local.stack.options import DEFAULT_MODEL
from services.generator.adapters import context_check
from services.generator.adapters.accelerators import Memory
from services.generator.adapters.context_check import check_context
from services.generator.domain.engine_parameters import ServedModel, VllmParameters
from services.runtime.settings import SettingsError

# Four layers, two heads of 32 for keys and two for values, four bytes: 2 KiB of a token, 256 KiB of a block.
BLOCK_BYTES = 256 * 1024


def check(context_tokens: int, blocks: int, folder: Path = DEFAULT_MODEL, *, is_cpu: bool = True) -> None:
    parameters = VllmParameters(kv_cache_memory_bytes=blocks * BLOCK_BYTES)
    check_context(ServedModel(context_tokens, str(folder)), parameters, "float32", is_cpu=is_cpu)


def test_a_context_that_fits_is_started_with() -> None:
    check(1024, 9)


def test_a_context_that_does_not_fit_is_refused_with_the_largest_that_does_and_the_bytes_it_takes() -> None:
    with pytest.raises(SettingsError) as refusal:
        check(2048, 9)
    said = str(refusal.value)
    assert "2048 tokens takes 4.2 MiB" in said
    assert "there is room for 2.2 MiB" in said
    assert "the largest context that fits is 1024" in said
    assert f"kv_cache_memory_bytes to {17 * BLOCK_BYTES} or more" in said
    check(1024, 9)
    check(2048, 17)


def test_a_cache_that_holds_no_context_says_so() -> None:
    with pytest.raises(SettingsError, match="no context fits; set generator"):
        check(64, 1)


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"model_type": "mamba2"})])
def test_what_is_not_known_is_left_to_the_engine(tmp_path: Path, content: str) -> None:
    if content:
        (tmp_path / "config.json").write_text(content)
    check(10**6, 1, tmp_path)


def test_a_gpu_that_is_too_small_for_the_weights_is_refused_with_what_helps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Small:
        def memory(self) -> list[Memory]:
            return [Memory(0, 1, 2 * 2**20)]

    monkeypatch.setattr(context_check, "Accelerators", Small)
    parameters = VllmParameters(kv_cache_memory_bytes=0)
    with pytest.raises(SettingsError, match="no context fits; take a GPU with more memory"):
        check_context(ServedModel(64, str(DEFAULT_MODEL)), parameters, "auto", is_cpu=False)
