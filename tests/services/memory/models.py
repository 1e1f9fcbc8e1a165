"""The configurations that ship, as the tests use them."""

import json
from pathlib import Path

from services.memory import configuration
from services.memory.architecture import Architecture
from services.memory.kv_blocks import Cache
from services.memory.replica import Gpus, Replica

REPOSITORY = Path(__file__).parents[3]
FOLDER = REPOSITORY / "services" / "memory" / "models"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
TINY = REPOSITORY / "deploy" / "models" / "tiny-eu"


def config_of(name: str) -> dict[str, object]:
    loaded: dict[str, object] = json.loads((FOLDER / f"{name}.json").read_text())
    return loaded


def shape_of(name: str) -> Architecture:
    return configuration.read(config_of(name))


def replica_of(
    name: str,
    *,
    memory_bytes: int = 80 * 2**30,
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    block_tokens: int = 16,
) -> Replica:
    gpus = Gpus(memory_bytes, 0.92, tensor_parallel, pipeline_parallel)
    cache = Cache(2, block_tokens, 2_048 * (pipeline_parallel + 1))
    return Replica(shape_of(name), gpus, cache, reserve_bytes=3 * 2**30)
