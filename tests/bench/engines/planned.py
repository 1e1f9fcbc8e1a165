"""What `comptoir plan --model` foretells of `tiny-eu` on a GPU with the memory bandwidth of this machine."""

from typing import Final

from services.cli.adapters.gpu_catalog import load_gpus
from services.cli.adapters.model_folder import find_model
from services.cli.planning.asked import Asked
from services.cli.planning.replica_plan import Planner
from services.memory import configuration
from services.memory.gpus import Gpu
from services.memory.throughput import decoding_of
from tests.bench.engine_path import MODEL
from tests.bench.engines.figures import Planned

_MEMORY_GIBIBYTES: Final = 16.0


def planned_for(asked: Asked, bytes_per_second: float) -> Planned:
    """Returns the ceiling that memory bandwidth sets, as the plan reckons it."""
    found = find_model(str(MODEL))
    shape = configuration.read(found.config, dtype=asked.dtype)
    weights = found.weight_bytes(shape.weight_bytes)
    planner = Planner(found.name, shape, asked, load_gpus(None, None), weights)
    machine = Gpu(
        name="this-machine",
        memory_gibibytes=_MEMORY_GIBIBYTES,
        bandwidth_gigabytes_per_second=bytes_per_second / 1e9,
        has_fp8=False,
        source="measured",
    )
    replica = planner.replica(machine, 1)
    assert replica is not None
    decoding = decoding_of(
        replica,
        tokens=planner.context,
        requests=asked.concurrency,
        bytes_per_second=machine.bytes_per_second,
    )
    return Planned(asked.concurrency, decoding.tokens_per_second)
