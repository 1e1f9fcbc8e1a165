"""What holds for every test: no other machine is reached, CI skips nothing, no test changes the next."""

import gc
import ipaddress
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings

from services.runtime.settings import environment
from tests.contracts.engine_needs import has_needs, is_asked_live
from tests.failures import FailureNotes
from tests.marks import lacks, refuse_hidden, wanted
from tests.side_by_side import OneStackScheduling, longest_first, scheduling


def _refuse_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: connections and look-ups go to loopback or unix sockets, or fail."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event == "socket.getaddrinfo" and arguments[0] is not None:
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
    else:
        return
    if host not in {"", "localhost"} and not _is_loopback(host):
        raise AssertionError("a test reached for another machine")


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


sys.addaudithook(_refuse_other_machines)

# No example fails for the machine's pace.
settings.register_profile(
    "comptoir", settings.get_profile(settings.get_current_profile_name()), deadline=None
)
settings.load_profile("comptoir")


# What is imported and collected lives until the end. The collector of garbage would look through it again and
# again: a seventh of the time until the first test, and at each full collection afterwards.
gc.disable()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneStackScheduling:
    return scheduling(config, log)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves files out that cannot have what `-m` asks for: to import all of them takes half a minute."""
    return True if lacks(collection_path, wanted(config.option.markexpr)) else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--note-failures", type=Path, help="where to note which failed (tests/second_try.py)")
    group = parser.getgroup("engines")
    group.addoption("--engine-url", help="a server that runs, for the contract of engines (docs/engines.md)")
    group.addoption("--engine-kind", default="vllm", help="vllm, sglang, tensorrt_llm or llama_cpp")
    group.addoption("--engine-model", help="the folder with its model's tokenizer; tiny-eu if it is left out")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--note-failures")
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(FailureNotes(path))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    refuse_hidden((item.path, (mark.name for mark in item.iter_markers())) for item in items)
    kind = config.getoption("--engine-kind") if config.getoption("--engine-url") else None
    items[:] = [item for item in items if has_needs(item) and is_asked_live(item, kind)]
    if hasattr(config, "workerinput"):
        longest_first(items)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
    if "vllm" in sys.modules:
        raise pytest.UsageError(
            "A test's module imports vLLM: seconds for each worker. Its tests do so, late."
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if environment().get("COMPTOIR_SKIPS_FAIL") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("skipped tests count as failures here", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers, root.level, logging.raiseExceptions)
    hooks = (sys.excepthook, sys.unraisablehook, threading.excepthook)
    yield
    root.handlers, root.level, logging.raiseExceptions = before
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(autouse=True, scope="module")
def _warnings_of_its_own(request: pytest.FixtureRequest) -> Iterator[None]:
    """What nobody closed of what asked whole processes fails this file, and not whichever runs next."""
    yield
    if request.node.get_closest_marker("system") is not None:
        gc.collect()
