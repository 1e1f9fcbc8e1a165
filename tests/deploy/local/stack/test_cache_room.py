import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deploy.local.stack.cache_room import (
    LEAST_CACHE_BYTES,
    MOST_CACHE_BYTES,
    cache_bytes,
    context_with_room,
)
from deploy.local.stack.config import build_config, generator_configs
from deploy.local.stack.options import DEFAULT_MODEL, Addresses, StackOptions
from deploy.local.stack.paths import DataPaths
from services.generator.domain.context_room import EngineMemory, room_for_context
from services.generator.domain.engine_parameters import ServedModel, VllmParameters
from services.memory import configuration
from tests.services.memory.models import config_of


def caches(folder: Path, models: tuple[str, str], **chosen: Any) -> list[int | None]:
    options = StackOptions(folder, model=models[0], further_models=models[1:], **chosen)
    addresses, paths = Addresses(options.port), DataPaths(folder)
    documents = [
        build_config(options, addresses, paths),
        *generator_configs(options, addresses, paths).values(),
    ]
    return [document["generator"]["vllm"].get("kv_cache_memory_bytes") for document in documents]


# Of SmolLM2-135M in float32: 46,080 bytes of a token.
SMOL = {
    "model_type": "llama",
    "dtype": "float32",
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "vocab_size": 49152,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}


def test_a_real_model_has_room_for_two_of_its_contexts() -> None:
    assert cache_bytes(SMOL, 8192) == 2 * (8192 + 128) * 46_080


def test_a_small_model_and_one_that_is_not_counted_have_what_a_generator_takes_by_itself() -> None:
    tiny = json.loads((DEFAULT_MODEL / "config.json").read_text())
    assert cache_bytes(tiny, 2048) == LEAST_CACHE_BYTES
    assert cache_bytes({"model_type": "mamba2"}, 8192) == LEAST_CACHE_BYTES
    assert context_with_room({"model_type": "mamba2"}, 8192) == 8192


def test_what_would_take_too_much_has_a_shorter_context() -> None:
    assert cache_bytes(config_of("llama-3.1-8b"), 131_072) == MOST_CACHE_BYTES
    assert context_with_room(config_of("llama-3.1-8b"), 131_072) == 4 * 2**30 // 131_072 - 128


def test_each_generator_of_a_stack_has_the_cache_of_its_model_unless_a_person_says_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "smol").mkdir()
    (tmp_path / "smol" / "config.json").write_text(json.dumps(SMOL))
    models = (str(tmp_path / "smol"), str(DEFAULT_MODEL))
    assert caches(tmp_path, models) == [2 * (8192 + 128) * 46_080, LEAST_CACHE_BYTES]
    assert caches(tmp_path, models[::-1]) == [None, 2 * (8192 + 128) * 46_080]
    said = {"generator": {"vllm": {"kv_cache_memory_bytes": 5}}}
    assert caches(tmp_path, models, overrides=said) == [5, 5]
    assert caches(tmp_path, models, engine="simulated") == [None, None]


@given(st.integers(1, 200_000), st.sampled_from(["llama-3.1-8b", "gemma-3-1b", "deepseek-v2-lite"]))
def test_a_generator_starts_with_what_a_stack_gives(context_tokens: int, name: str) -> None:
    config = config_of(name)
    context = context_with_room(config, context_tokens)
    parameters = VllmParameters(kv_cache_memory_bytes=cache_bytes(config, context))
    for dtype in ("auto", "float32"):
        shape = configuration.read(config, dtype=dtype)
        room = room_for_context(shape, ServedModel(context), parameters, EngineMemory(is_cpu=True))
        assert room is not None
        fits_by_default = room.fits or context > shape.context_tokens
        assert fits_by_default or (
            dtype == "float32" and parameters.kv_cache_memory_bytes == MOST_CACHE_BYTES
        )
