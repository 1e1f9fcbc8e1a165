"""Log lines hold allow-listed fields; no message of a library and no text of an exception leaves."""

import ast
import json
import logging
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.runtime import logs

CANARY = "canary7f3a"
SECRET_TEXT = st.text(max_size=30).map(lambda text: f"{CANARY}{text}")
capturing = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=50,
)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert CANARY not in captured.err
    return [json.loads(line) for line in captured.err.splitlines()]


def _fail(text: str) -> None:
    raise ValueError(text)


@capturing
@given(fields=st.dictionaries(st.from_regex(r"[a-z]{1,12}", fullmatch=True), SECRET_TEXT, max_size=5))
def test_a_field_that_is_not_on_the_list_never_appears(
    capsys: pytest.CaptureFixture[str], fields: dict[str, str]
) -> None:
    logs.configure("edge", "debug")
    unlisted = {f"my_{name}": text for name, text in fields.items()}
    with structlog.contextvars.bound_contextvars(my_context=CANARY, request_id="ab" * 16):
        logs.get_logger("services.edge").info("answered", count=3, **unlisted)
    (line,) = lines(capsys)
    assert set(line) == {"count", "event", "level", "module", "process", "request_id", "timestamp"}
    assert (line["event"], line["count"], line["process"]) == ("answered", 3, "edge")


@capturing
@given(text=SECRET_TEXT, level=st.integers(logging.WARNING, 70))
def test_a_library_is_heard_without_its_words(
    capsys: pytest.CaptureFixture[str], text: str, level: int
) -> None:
    logs.configure("edge", "debug")
    library = logging.getLogger("some.library")
    library.log(level, text, extra={"body": text})
    library.log(level, "%s %d", text, text)
    said = lines(capsys)
    assert [line["event"] for line in said] == ["library_message"] * 2
    assert said[0]["library"] == "some.library"
    assert said[0]["module"] == "test_logs"


def test_a_library_that_says_the_same_again_and_again_has_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure("usage", "info")
    library, now_seconds = logging.getLogger("some.library"), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_seconds[0])
    for second in range(25):
        now_seconds[0] = 1000.0 + second
        for _ in range(8):
            library.error("OffsetCommit failed")
    library.error("something else")
    said = [(line["event"], line.get("count")) for line in lines(capsys)]
    assert said == [("library_message", count) for count in (None, 80, 80, None)]


@capturing
@given(text=SECRET_TEXT)
def test_an_exception_is_its_type_and_place(capsys: pytest.CaptureFixture[str], text: str) -> None:
    logs.configure("edge", "info")
    try:
        _fail(text)
    except ValueError as error:
        logs.log_failure(logs.get_logger("x"), "call_failed", error, method="M")
        logging.getLogger("some.library").exception(text)
    mine, theirs = lines(capsys)
    assert mine["error_type"] == theirs["error_type"] == "ValueError"
    assert mine["module"] == __name__
    assert isinstance(mine["line"], int)
    assert mine["method"] == "M"


def test_an_exception_that_was_never_raised_is_its_type(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("edge")
    logs.log_failure(logs.get_logger("x"), "call_failed", ValueError(CANARY))
    assert lines(capsys)[0]["error_type"] == "ValueError"


def test_a_thread_that_dies_says_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("edge")

    def die() -> None:
        raise ValueError(CANARY)

    thread = threading.Thread(target=die)
    thread.start()
    thread.join()
    (line,) = lines(capsys)
    assert (line["event"], line["error_type"]) == ("uncaught", "ValueError")


def test_warnings_say_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("edge")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn(CANARY, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert [line["library"] for line in lines(capsys)] == ["py.warnings"]


@pytest.mark.parametrize(
    "death",
    ["raise ValueError(text)", "import asyncio\nasync def f(): raise ValueError(text)\nasyncio.run(f())"],
)
def test_a_process_that_dies_says_no_text(death: str) -> None:
    script = f"from services.runtime import logs\nlogs.configure('edge')\ntext = '{CANARY}'\n{death}"
    died = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30
    )
    assert died.returncode == 1
    assert CANARY not in died.stdout + died.stderr
    assert json.loads(died.stderr)["error_type"] == "ValueError"


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("edge", "warning")
    logs.get_logger("x").info("quiet")
    logging.getLogger("some.library").info("quiet")
    logs.get_logger("x").warning("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]


def test_a_full_disk_loses_lines_and_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, _line: str) -> int:
            raise OSError(28, "no space")

    logs.configure("edge")
    monkeypatch.setattr(sys, "stderr", Full())
    logs.get_logger("x").info("lost")
    logging.getLogger("some.library").error("lost")


def test_no_listed_field_is_meant_for_text() -> None:
    forbidden = {
        "message",
        "text",
        "prompt",
        "body",
        "content",
        "key",
        "exception",
        "stack",
        "error",
        "detail",
    }
    assert not logs.ALLOWED_FIELDS & forbidden


def test_the_list_of_fields_is_no_longer_than_its_use() -> None:
    """A field that no log call names is one careless call away from carrying what a caller wrote."""
    root = Path(logs.__file__).resolve().parents[2]
    used = {"event", "level", "library", "line", "module", "process", "timestamp"}
    for path in (
        path for part in ("services", "pipelines", "deploy") for path in root.glob(f"{part}/**/*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _is_log_call(node.func):
                used |= {keyword.arg for keyword in node.keywords if keyword.arg}
    assert used - {"log"} == logs.ALLOWED_FIELDS | {"request_id"}


def _is_log_call(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        is_logger = isinstance(function.value, ast.Name) and function.value.id in {"_log", "log"}
        return is_logger or function.attr == "log_failure"
    return isinstance(function, ast.Name) and function.id == "log_failure"
