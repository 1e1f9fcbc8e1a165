"""What a person sees of a start, and what a program gets."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.local.stack.paths import DataPaths
from deploy.local.stack.secret_files import create_secrets
from services.cli.presenter import JsonPresenter, Presenter, TerminalPresenter
from tests.ports import free_port
from tests.services.runtime.consoles import run_of_a_console

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
        "chat ",
        "status",
        "report latency",
        "keys create",
        STATE["clickhouse_url"],
        "Ctrl-C",
    ):
        assert part in said
    assert "Kafka" in said
    assert "restarting" in said


def test_the_link_to_the_page_comes_once_that_answers_which_is_last(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    paths.create()
    create_secrets(paths)
    screen = io.StringIO()
    presenter = TerminalPresenter(Console(file=screen, width=300, color_system=None), "Ctrl-C")
    state = {**STATE, "data_dir": str(tmp_path), "console": f"http://127.0.0.1:{free_port()}"}
    presenter.ready(state, None)
    assert "/#" not in screen.getvalue()
    with run_of_a_console() as url:
        state["console"] = url
        presenter.step("console", "the console", "ready")
    assert f"  Console   {url}/#" in screen.getvalue()


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
