"""A generator on the simulated engine, with a real gRPC server and sinks that only remember."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services.generator.running import RunningGenerator


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningGenerator]:
    generator = RunningGenerator(tmp_path)
    await generator.start()
    yield generator
    await generator.stop()
