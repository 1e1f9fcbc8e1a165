import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bench.beside.errors import BenchError
from tests.bench.beside.loader import Loader, end


@contextmanager
def speaking(code: str, folder: Path) -> Iterator[Loader]:
    log = folder / "load.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    try:
        yield Loader(process, log)
    finally:
        end(process)
    assert process.returncode is not None


def test_what_a_load_process_says_is_heard_after_the_order(tmp_path: Path) -> None:
    echo = "import json; print(json.dumps({'said': 'done', 'order': json.loads(input())}), flush=True)"
    with speaking(echo, tmp_path) as loader:
        loader.tell({"do": "load"})
        assert loader.hear("done", 60)["order"] == {"do": "load"}


def test_one_that_ends_is_told_with_its_last_line(tmp_path: Path) -> None:
    ending = "import sys; sys.exit('no memory')"
    with speaking(ending, tmp_path) as loader, pytest.raises(BenchError, match="last line was: no memory"):
        loader.hear("ready", 60)


def test_one_that_stays_silent_is_not_waited_for(tmp_path: Path) -> None:
    with speaking("input()", tmp_path) as loader, pytest.raises(BenchError, match="it ended without a word"):
        loader.hear("ready", 0.01)


def test_one_that_failed_is_told_with_its_reason(tmp_path: Path) -> None:
    failed = 'print(\'{"said": "failed", "why": "status 503"}\', flush=True); input()'
    with speaking(failed, tmp_path) as loader, pytest.raises(BenchError, match="status 503"):
        loader.hear("answers", 60)
