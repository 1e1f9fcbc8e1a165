"""A program that prints what vLLM says of configurations: parameters, specs and blocks, without weights.

Each argument is a case: a file, the size of a tensor-parallel group, and the type of keys and values.
"""

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from vllm.config import set_current_vllm_config
from vllm.distributed import parallel_state
from vllm.distributed.utils import get_pp_indices
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.model_executor.model_loader.utils import initialize_model
from vllm.v1.core import kv_cache_utils

from tests.services.memory.vllm_planner_bounds import BATCHED_TOKENS, BLOCK_TOKENS, CONTEXT_TOKENS, KV_BYTES


def main(cases: list[str]) -> None:
    torch.set_default_dtype(torch.bfloat16)
    with tempfile.TemporaryDirectory() as scratch:
        for case in cases:
            path, ranks, kv_dtype = case.split("|")
            said = {"case": case, **planned(Path(path), int(ranks), kv_dtype, Path(scratch))}
            sys.stdout.write(f"{json.dumps(said)}\n")


def planned(path: Path, ranks: int, kv_dtype: str, scratch: Path) -> dict[str, Any]:
    config, model, specs = built(path, ranks, kv_dtype, scratch)
    config.cache_config.kv_cache_layout = "LBHNC"
    (cache,) = kv_cache_utils.get_kv_cache_configs(config, [specs], [KV_BYTES])
    groups = cache.kv_cache_groups
    return {
        "parameters": sum(one.numel() for one in model.parameters()),
        "bytes": sum(one.numel() * one.element_size() for one in model.parameters()),
        "tokens": config.model_config.max_model_len,
        "block_tokens": config.cache_config.block_size,
        "in_flight_tokens": config.max_in_flight_tokens,
        "blocks": cache.num_blocks,
        "groups": [len(group.layer_names) for group in groups],
        "concurrency": kv_cache_utils.get_max_concurrency_for_kv_cache_config(config, cache),
        "request_bytes": kv_cache_utils._max_memory_usage_bytes_from_groups(config, groups),
        "longest": longest(config, groups),
        "blocks_of_two_stages": blocks_of_two_stages(config, specs),
    }


def blocks_of_two_stages(config: Any, specs: dict[str, Any]) -> int:
    """The blocks where the layers are divided among two workers."""
    places = {name: int(re.search(r"layers\.(\d+)\.", name)[1]) for name in specs}  # type: ignore[index]
    stages = [get_pp_indices(len(specs), stage, 2) for stage in (0, 1)]
    divided = [{name: specs[name] for name in specs if first <= places[name] < end} for first, end in stages]
    caches = kv_cache_utils.get_kv_cache_configs(config, divided, [KV_BYTES, KV_BYTES])
    return int(caches[0].num_blocks)


def longest(config: Any, groups: Any) -> dict[str, int]:
    """The longest context of one request, for some sizes of memory."""
    asked, config.model_config.max_model_len = config.model_config.max_model_len, 10**7
    found = {
        str(size): kv_cache_utils._estimate_max_model_len_from_groups(config, groups, size)
        for size in (2**26, 2**30, 5 * 2**30 + 12_345)
    }
    config.model_config.max_model_len = asked
    return found


def built(path: Path, ranks: int, kv_dtype: str, scratch: Path) -> tuple[Any, Any, dict[str, Any]]:
    folder = Path(tempfile.mkdtemp(dir=scratch))
    shutil.copy(path, folder / "config.json")
    config = AsyncEngineArgs(
        model=str(folder),
        skip_tokenizer_init=True,
        block_size=BLOCK_TOKENS,
        kv_cache_dtype=kv_dtype,
        enforce_eager=True,
        kv_cache_memory_bytes=KV_BYTES,
        max_model_len=min(CONTEXT_TOKENS, json.loads(path.read_text())["max_position_embeddings"]),
        max_num_batched_tokens=BATCHED_TOKENS,
        enable_chunked_prefill=True,
    ).create_engine_config()
    with set_current_vllm_config(config):
        if not parallel_state.model_parallel_is_initialized():
            parallel_state.init_distributed_environment(1, 0, f"file://{scratch}/rendezvous", 0, "gloo")
            parallel_state.initialize_model_parallel(1, 1)
        # One process plays the first of several: nothing is sent while a model is only described.
        group, whole = parallel_state._TP, parallel_state._TP.world_size
        config.parallel_config.tensor_parallel_size = group.world_size = ranks
        try:
            with torch.device("meta"):
                model = initialize_model(config)
        finally:
            group.world_size = whole
    layers = config.compilation_config.static_forward_context.items()
    specs = {
        name: layer.get_kv_cache_spec(config) for name, layer in layers if hasattr(layer, "get_kv_cache_spec")
    }
    return config, model, {name: spec for name, spec in specs.items() if spec is not None}


if __name__ == "__main__":
    main(sys.argv[1:])
