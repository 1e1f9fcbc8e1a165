"""`comptoir console` prints a link for a console that runs, or becomes the console of a settings file."""

import json
import os
from pathlib import Path

import pytest
import yaml

from deploy.local.stack.paths import DataPaths
from deploy.local.stack.secret_files import create_secrets
from deploy.local.stack.state import take_lock
from tests.services.cli.running import Terminal


def settings(folder: Path, **section: object) -> Path:
    file = folder / "comptoir.yaml"
    file.write_text(yaml.safe_dump({"console": {"listen": {"port": 8414}, **section}}))
    return file


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The programs that this process would have become."""
    found: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _file, arguments: found.append(arguments))
    return found


def test_a_stack_that_does_not_run_has_no_link(terminal: Terminal, tmp_path: Path) -> None:
    assert "comptoir up" in terminal.refusal("console", "--data-dir", str(tmp_path))


def test_a_stack_without_a_console_says_how_to_get_one(terminal: Terminal, paths: DataPaths) -> None:
    lock = take_lock(paths)
    try:
        assert "--no-console" in terminal.refusal("console", "--data-dir", str(paths.root))
    finally:
        os.close(lock)


def test_a_stack_with_one_has_a_link(terminal: Terminal, paths: DataPaths) -> None:
    create_secrets(paths)
    state = json.loads(paths.state.read_text()) | {"console": "http://127.0.0.1:8414"}
    paths.state.write_text(json.dumps(state))
    lock = take_lock(paths)
    try:
        said = terminal.comptoir("console", "--json", "--data-dir", str(paths.root))
    finally:
        os.close(lock)
    assert json.loads(said.out)["link"].startswith("http://127.0.0.1:8414/#")


def test_a_settings_files_console_is_served_behind_its_link(
    terminal: Terminal, tmp_path: Path, became: list[list[str]]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("ab" * 32)
    file = settings(tmp_path, secret_file=str(secret))
    assert terminal.comptoir("console", "--config", str(file)).out.startswith("http://127.0.0.1:8414/#")
    assert became[0][1:] == ["-m", "services.console", "--config", str(file)]


def test_a_link_alone_starts_nothing(terminal: Terminal, tmp_path: Path, became: list[list[str]]) -> None:
    said = terminal.comptoir("console", "--link", "--config", str(settings(tmp_path)))
    assert said.out == "http://127.0.0.1:8414\n"
    assert became == []


def test_a_file_that_is_none_is_one_sentence(terminal: Terminal, tmp_path: Path) -> None:
    assert "cannot be read" in terminal.refusal("console", "--config", str(tmp_path / "none.yaml"))
