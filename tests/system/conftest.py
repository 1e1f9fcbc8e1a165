"""One whole stack with the real engine, shared by the tests that only ask it questions."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.stack_process import Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka, the ClickHouse engine, vLLM on tiny-eu, and the five services."""
    folder: Path = tmp_path_factory.mktemp("stack")
    with running_stack(folder) as running:
        yield running
