"""`comptoir console` prints a link for a console that runs, or becomes the console of a settings file."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.local.stack.paths import DataPaths
from deploy.local.stack.secret_files import create_secrets
from deploy.local.stack.state import take_lock
from tests.ports import free_port
from tests.services.cli.running import Terminal
from tests.services.runtime.consoles import run_of_a_console


def settings(folder: Path, **section: object) -> Path:
    file = folder / "comptoir.yaml"
    file.write_text(yaml.safe_dump({"console": {"listen": {"port": free_port()}, **section}}))
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
    lock = take_lock(paths)
    try:
        with run_of_a_console() as url:
            state = json.loads(paths.state.read_text()) | {"console": url}
            paths.state.write_text(json.dumps(state))
            said = terminal.comptoir("console", "--json", "--data-dir", str(paths.root))
    finally:
        os.close(lock)
    assert json.loads(said.out)["link"].startswith(f"{url}/#")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("ab" * 32)
    return file


def test_a_settings_files_console_is_served_and_its_link_follows(
    terminal: Terminal, tmp_path: Path, secret: Path, became: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[list[str]] = []
    ignored: list[tuple[int, object]] = []
    monkeypatch.setattr(subprocess, "Popen", begun.append)
    monkeypatch.setattr(signal, "signal", lambda number, what: ignored.append((number, what)))
    file = settings(tmp_path, secret_file=str(secret))
    assert terminal.comptoir("console", "--config", str(file)).out == ""
    assert begun[0][1:5] == ["-m", "services.runtime.sign_in_link", "--config", str(file)]
    assert (signal.SIGCHLD, signal.SIG_IGN) in ignored
    assert became[0][1:] == ["-m", "services.console", "--config", str(file)]


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - as in a container
def test_where_another_console_has_the_port_it_says_so_and_makes_no_link_for_that_one(
    terminal: Terminal,
    tmp_path: Path,
    secret: Path,
    became: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    host: str,
) -> None:
    begun: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", begun.append)
    with run_of_a_console() as url:
        listen = {"host": host, "port": int(url.rpartition(":")[2])}
        for sign_on in ({"secret_file": str(secret)}, {}):
            file = settings(tmp_path, listen=listen, **sign_on)
            refusal = terminal.refusal("console", "--config", str(file))
            assert f"{host}:{listen['port']} of console.listen is taken" in refusal
            assert "--link" in refusal
    assert begun == became == []


def test_a_link_alone_starts_nothing(
    terminal: Terminal, tmp_path: Path, secret: Path, became: list[list[str]]
) -> None:
    said = terminal.comptoir("console", "--link", "--config", str(settings(tmp_path, listen={"port": 8414})))
    assert said.out == "http://127.0.0.1:8414\n"
    with run_of_a_console() as url:
        listen = {"port": int(url.rpartition(":")[2])}
        file = settings(tmp_path, secret_file=str(secret), listen=listen)
        said = terminal.comptoir("console", "--link", "--json", "--config", str(file))
    assert json.loads(said.out)["link"].startswith(f"{url}/#")
    assert "no console answers" in terminal.refusal("console", "--link", "--config", str(file))
    assert "--link --json" in terminal.refusal("console", "--json", "--config", str(file))
    assert became == []


def test_a_file_that_is_none_is_one_sentence(terminal: Terminal, tmp_path: Path) -> None:
    assert "cannot be read" in terminal.refusal("console", "--config", str(tmp_path / "none.yaml"))
