import subprocess
import sys

import pytest

from tests.bench.beside.environments import for_children
from tests.bench.beside.targets import without_events
from tests.system.stack_process import REPOSITORY

_ASK = "from services.runtime.emitter_client import EmitterClient as c; print(c.record.__name__)"


@pytest.mark.parametrize(
    ("process", "method"), [("services.router", "_record_nothing"), ("services.emitter", "record")]
)
def test_a_producer_started_without_events_records_nothing(process: str, method: str) -> None:
    said = subprocess.check_output(
        [sys.executable, "-c", _ASK, process],
        cwd=REPOSITORY,
        env={**for_children(), **without_events()},
        text=True,
    )
    assert said.strip() == method


def test_a_producer_started_as_always_records() -> None:
    said = subprocess.check_output(
        [sys.executable, "-c", _ASK, "services.router"], cwd=REPOSITORY, env=for_children(), text=True
    )
    assert said.strip() == "record"
