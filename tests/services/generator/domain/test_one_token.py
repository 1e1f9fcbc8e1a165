import struct
from collections.abc import Callable

import pytest

from services.generator.adapters.simulated.embedding import SimulatedEmbeddingEngine
from services.generator.adapters.simulated.engine import SimulatedEngine
from services.generator.domain.engine_parameters import ServedModel, SimulatedParameters
from services.generator.domain.one_token import makes_sense
from services.generator.domain.ports import EngineFailedError, VectorRequest
from services.kernel.catalog import Task
from services.kernel.clock import SystemClock

PARAMETERS = SimulatedParameters(ttft_seconds=0.0, itl_seconds=0.0001)


class Vectors(SimulatedEmbeddingEngine):
    """An engine whose vectors are made of the numbers that it is told."""

    def __init__(self, number: Callable[[int], float]) -> None:
        super().__init__(ServedModel(1024, task=Task.EMBED), PARAMETERS, SystemClock())
        self._number = number

    async def embed(self, request: VectorRequest) -> bytes:
        """Returns as many numbers as are asked for."""
        return struct.pack(f"<{request.size}f", *map(self._number, range(request.size)))


async def test_an_engine_makes_one_token_and_is_idle_again() -> None:
    engine = SimulatedEngine(ServedModel(1024), PARAMETERS, SystemClock())
    assert await makes_sense(engine)
    assert (engine.load().output_tokens_total, engine.unfinished_requests()) == (1, 0)


async def test_a_dead_engine_says_so() -> None:
    engine = SimulatedEngine(ServedModel(1024), PARAMETERS, SystemClock())
    engine.die()
    with pytest.raises(EngineFailedError):
        await makes_sense(engine)


async def test_an_engine_of_vectors_makes_one() -> None:
    assert await makes_sense(
        SimulatedEmbeddingEngine(ServedModel(1024, task=Task.EMBED), PARAMETERS, SystemClock())
    )


@pytest.mark.parametrize(
    "number",
    [lambda _: float("nan"), lambda _: 0.0, lambda n: float("nan") if n == 60 else 1.0],
)
async def test_a_vector_of_no_numbers_or_of_nothing_makes_no_sense(number: Callable[[int], float]) -> None:
    assert not await makes_sense(Vectors(number))
