import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.clickhouse.adapters.chdb_engine import ChdbEngine
from deploy.local.clickhouse.adapters.engine_folder import EngineFolder
from tests.system.clickhouse_process import ClickHouseProcess


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbEngine]:
    """One engine for all tests: it takes a second to start and has one folder per process."""
    with pytest.MonkeyPatch.context() as patch:
        # The folder is made for a process of its own, whose environment and working folder it changes.
        patch.setattr(os, "putenv", lambda *_: None)
        patch.chdir(Path.cwd())
        folder = EngineFolder(tmp_path_factory.mktemp("engine"))
        bounds = {"max_memory_bytes": 2**30, "max_result_bytes": 2**28}
        connection_string = folder.prepare(max_execution_seconds=60, **bounds)
        engine = ChdbEngine(folder.path, connection_string, "comptoir")
        yield engine
        engine.close()
        folder.release()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseProcess]:
    """A store with its default settings, for the tests of one file."""
    process = ClickHouseProcess(tmp_path_factory.mktemp("store"))
    process.start()
    yield process
    process.stop()
