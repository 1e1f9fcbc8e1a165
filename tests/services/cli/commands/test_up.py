"""up: what cannot be started is said at once, in one sentence."""

import os
import socket
from pathlib import Path

import pytest

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import PORTS
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import take_lock
from services.cli.commands.up import child_environment, up
from tests.services.cli.running import Terminal


def test_children_report_no_usage_and_are_given_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPTOIR_API_KEY", "cptr_given")
    monkeypatch.setenv("COMPTOIR_LOG_LEVEL", "debug")
    given = child_environment()
    assert "COMPTOIR_API_KEY" not in given
    assert given["COMPTOIR_LOG_LEVEL"] == "debug"
    assert (given["DO_NOT_TRACK"], given["VLLM_NO_USAGE_STATS"]) == ("1", "1")


@pytest.mark.parametrize("detached", [(), ("--detach",)])
def test_a_folder_in_use_is_one_sentence(
    terminal: Terminal, tmp_path: Path, detached: tuple[str, ...]
) -> None:
    paths = DataPaths(tmp_path)
    paths.create()
    lock = take_lock(paths)
    try:
        assert "already runs" in terminal.refusal("up", "--data-dir", str(tmp_path), *detached)
    finally:
        os.close(lock)


def test_a_taken_port_is_one_sentence(terminal: Terminal, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1] - PORTS + 1
        assert "taken" in terminal.refusal("up", "--data-dir", str(tmp_path), "--port", str(port))


@pytest.mark.parametrize("content", ["- a list", "a: [", "when: 2026-13-45"])
def test_a_config_that_is_none_is_one_sentence(terminal: Terminal, tmp_path: Path, content: str) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text(content)
    assert "mine.yaml" in terminal.refusal("up", "--data-dir", str(tmp_path), "--config", str(config))


def test_a_config_or_model_that_is_missing_is_one_sentence(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.local.stack.run.check_ports", lambda _options: None)
    assert "cannot be read" in terminal.refusal(
        "up", "--data-dir", str(tmp_path), "--config", str(tmp_path / "none.yaml")
    )
    assert "no model" in terminal.refusal("up", "--data-dir", str(tmp_path), "--model", "./nowhere")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://someone:secret7f3a@store.example:8443", "may not hold a user"),
        ("store.example:8443", "must be a URL"),
    ],
)
def test_a_store_s_url_holds_no_password_and_is_one(tmp_path: Path, url: str, says: str) -> None:
    with pytest.raises(StackError, match=says) as error:
        up(data_dir=tmp_path / "data", clickhouse=url)
    assert "secret7f3a" not in str(error.value)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("address", ["nohost", "kafka.example", "kafka.example:none", ":9092", "k:99999"])
def test_an_address_of_kafka_that_is_none_is_said_before_anything_starts(
    tmp_path: Path, address: str
) -> None:
    with pytest.raises(StackError, match="--kafka must be HOST:PORT"):
        up(data_dir=tmp_path / "data", kafka=address)
    assert not (tmp_path / "data").exists()


def test_a_config_that_is_no_yaml_is_told_its_line_and_nothing_of_it(
    terminal: Terminal, tmp_path: Path
) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("edge:\n\tsecret7f3a: 1\n")
    said = terminal.refusal("up", "--data-dir", str(tmp_path), "--config", str(config))
    assert "mine.yaml is not valid YAML in line 2;" in said
    assert "secret7f3a" not in said
