"""What a person sees of a start, and what a program gets."""

import io
import json
import shlex
from typing import Any

import pytest
from rich.console import Console

from services.cli.presenter import JsonPresenter, Presenter, TerminalPresenter

STATE: dict[str, Any] = {
    "base_url": "http://127.0.0.1:8400/v1",
    "clickhouse_url": "http://127.0.0.1:8404",
    "model": "tiny-eu",
    "data_dir": "/some where/[data]",
    "phase": "ready",
}


def shown(*, is_terminal: bool, api_key: str | None) -> str:
    screen = io.StringIO()
    presenter: Presenter = TerminalPresenter(
        Console(file=screen, force_terminal=is_terminal, width=300, color_system=None), "Ctrl-C"
    )
    presenter.step("kafka", "Kafka", "starting")
    presenter.step("kafka", "Kafka", "ready")
    presenter.ready(STATE, api_key)
    presenter.step("kafka", "Kafka", "restarting")
    presenter.close()
    return screen.getvalue()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_start_ends_with_all_that_one_needs(is_terminal: bool) -> None:
    said = shown(is_terminal=is_terminal, api_key="cptr_fresh")
    for part in (
        STATE["base_url"],
        "cptr_fresh",
        "curl ",
        "from openai import OpenAI",
        "latency_by_hour",
        "Ctrl-C",
    ):
        assert part in said
    assert "Kafka" in said
    assert "restarting" in said


def test_the_python_lines_are_python_and_the_curl_line_is_shell() -> None:
    for api_key in ("cptr_fresh", None):
        said = shown(is_terminal=False, api_key=api_key)
        python = said.split("With Python:\n")[1].split("\n\n")[0]
        compile(python, "snippet", "exec")
        assert len(python.splitlines()) == 5
        curl = said.split("With curl:\n")[1].split("\n\n")[0]
        body = json.loads(shlex.split(curl)[-1])
        assert body["model"] == "tiny-eu"


def test_a_second_start_says_where_the_key_is_and_never_shows_one() -> None:
    said = shown(is_terminal=False, api_key=None)
    assert "/some where/[data]/secrets/local-api-key" in said
    # Single quotes around the header would keep the shell from reading the file.
    assert "-H \"Authorization: Bearer $(cat '/some where/[data]/secrets/local-api-key')\"" in said


@pytest.mark.parametrize("api_key", ["cptr_fresh", None])
def test_a_program_gets_one_object(api_key: str | None) -> None:
    screen = io.StringIO()
    presenter = JsonPresenter(Console(file=screen, width=40))
    presenter.step("kafka", "Kafka", "ready")
    presenter.ready(STATE, api_key)
    presenter.close()
    content = json.loads(screen.getvalue())
    assert screen.getvalue().count("\n") == 1
    assert content == {**STATE, **({"api_key": api_key} if api_key else {})}
