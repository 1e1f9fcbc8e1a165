"""The arithmetic against vLLM's own planner: the models are described to it, and no weight is loaded."""

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from services.memory import configuration
from services.memory.architecture import Architecture
from services.memory.kv_blocks import Cache, block_bytes, blocks_of_request, groups_of, page_bytes
from services.memory.stages import stages_of
from tests.services.memory.vllm_planner_bounds import KV_BYTES

REPOSITORY = Path(__file__).parents[3]
MODELS = REPOSITORY / "services" / "memory" / "models"
TINY = REPOSITORY / "deploy" / "models" / "tiny-eu" / "config.json"
# The first has experts, so that vLLM makes the group that others with experts ask for.
CASES = (
    (MODELS / "mixtral-8x7b.json", 1, "auto"),
    (MODELS / "llama-3.1-8b.json", 2, "auto"),
    # Half as many heads as GPUs, and keys and values in one byte.
    (MODELS / "llama-3.1-8b.json", 16, "fp8"),
    (MODELS / "qwen2.5-7b.json", 2, "auto"),
    (MODELS / "qwen3-30b-a3b.json", 2, "auto"),
    (MODELS / "mistral-7b-v0.1.json", 1, "auto"),
    (MODELS / "gemma-3-1b.json", 1, "auto"),
    (MODELS / "gemma-3-1b.json", 2, "auto"),
    (MODELS / "deepseek-v2-lite.json", 1, "auto"),
    (MODELS / "deepseek-v2-lite.json", 2, "auto"),
    (MODELS / "llama-4-scout.json", 2, "auto"),
    (TINY, 1, "auto"),
)
NAMES = [f"{path.parent.name}/{path.stem} over {ranks}, {kv_dtype}" for path, ranks, kv_dtype in CASES]
pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]


@cache
def vllm_says() -> Mapping[str, Mapping[str, Any]]:
    """Of every case, by one process: its imports take most of the time."""
    asked = [f"{path}|{ranks}|{kv_dtype}" for path, ranks, kv_dtype in CASES]
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.memory.vllm_planner", *asked],
        cwd=REPOSITORY,
        env={
            "PATH": "/usr/bin:/bin",
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
            "HF_HUB_OFFLINE": "1",
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "VLLM_LOGGING_LEVEL": "ERROR",
        },
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"case"')]
    return {one["case"]: one for one in said}


@pytest.mark.parametrize(("path", "ranks", "kv_dtype"), CASES, ids=NAMES)
class TestEqualToVllm:
    def test_parameters_and_bytes_of_a_gpu(self, path: Path, ranks: int, kv_dtype: str) -> None:
        said, shape = vllm_says()[f"{path}|{ranks}|{kv_dtype}"], shape_of(path)
        (stage,) = stages_of(shape, tensor_parallel=ranks)
        assert stage.weight_bytes == said["bytes"]
        assert stage.weight_bytes == said["parameters"] * shape.weight_bytes

    def test_blocks_and_how_many_requests_they_hold(self, path: Path, ranks: int, kv_dtype: str) -> None:
        said, shape = vllm_says()[f"{path}|{ranks}|{kv_dtype}"], shape_of(path)
        kept, groups = cache_of(said, shape, kv_dtype), groups_of(shape)
        assert [len(group.layers) for group in groups] == said["groups"]
        size = block_bytes(groups, range(len(shape.layers)), page_bytes(shape, kept, ranks))
        assert KV_BYTES // size == said["blocks"]
        needed = blocks_of_request(groups, said["tokens"], kept)
        assert needed * size == said["request_bytes"]
        assert said["blocks"] / needed == said["concurrency"]

    def test_the_longest_context_of_a_memory(self, path: Path, ranks: int, kv_dtype: str) -> None:
        said, shape = vllm_says()[f"{path}|{ranks}|{kv_dtype}"], shape_of(path)
        kept, groups = cache_of(said, shape, kv_dtype), groups_of(shape)
        size = block_bytes(groups, range(len(shape.layers)), page_bytes(shape, kept, ranks))
        for memory, longest in said["longest"].items():
            assert blocks_of_request(groups, longest, kept) * size <= int(memory)
            if longest < 10**7:
                assert blocks_of_request(groups, longest + 1, kept) * size > int(memory)

    def test_blocks_of_two_stages(self, path: Path, ranks: int, kv_dtype: str) -> None:
        said, shape = vllm_says()[f"{path}|{ranks}|{kv_dtype}"], shape_of(path)
        kept, groups = cache_of(said, shape, kv_dtype), groups_of(shape)
        page = page_bytes(shape, kept, ranks)
        stages = stages_of(shape, tensor_parallel=ranks, pipeline_parallel=2)
        least = min(KV_BYTES // block_bytes(groups, stage.layers, page) for stage in stages)
        assert least == said["blocks_of_two_stages"]


def shape_of(path: Path) -> Architecture:
    return configuration.read(json.loads(path.read_text()))


def cache_of(said: Mapping[str, Any], shape: Architecture, kv_dtype: str) -> Cache:
    number_bytes = 1 if kv_dtype == "fp8" else shape.weight_bytes
    return Cache(number_bytes, said["block_tokens"], said["in_flight_tokens"])
