"""A generator on the simulated engine, with a real gRPC server and sinks that only remember."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services.generator.running import RunningGenerator


@pytest.fixture
async def unstarted(tmp_path: Path) -> AsyncIterator[RunningGenerator]:
    generator = RunningGenerator(tmp_path)
    yield generator
    await generator.stop()


@pytest.fixture
async def running(unstarted: RunningGenerator) -> RunningGenerator:
    await unstarted.start()
    return unstarted
