"""The last screen of a start, on a terminal of 80 columns and 24 lines."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from services.cli.ready_screen import command_prefix, ready_screen

LINK = f"http://127.0.0.1:65014/#{44 * 'x'}"
KEY = "cptr_eu-fr_0123456789ABCDEFGHIJKLabcdef"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("services.cli.ready_screen.command_prefix", lambda: ".venv/bin/comptoir")
    return {
        "base_url": "http://127.0.0.1:65000/v1",
        "clickhouse_url": "http://127.0.0.1:65004",
        "model": "tiny-eu",
        "data_dir": str(tmp_path / "comptoir-data"),
    }


def curl_of(said: str) -> list[str]:
    return shlex.split(said.split("\n\n")[3])


@pytest.mark.parametrize("key", [KEY, None])
def test_url_key_and_the_next_commands_fit_80_columns_and_24_lines(
    state: dict[str, Any], key: str | None
) -> None:
    said = ready_screen(state, key, "Ctrl-C", 8.3, LINK)
    assert LINK in said
    lines = said.splitlines()
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    for part in (
        state["base_url"],
        key or "comptoir-data/secrets/local-api-key",
        "chat ",
        "status",
        "To stop: ",
    ):
        assert part in said
    assert [word for word in ("report latency", "keys create --tenant local") if word not in said] == []


def test_the_curl_line_is_shell_and_its_body_is_json(state: dict[str, Any]) -> None:
    words = curl_of(ready_screen(state, KEY, "Ctrl-C", 8.3))
    assert words[:2] == ["curl", "http://127.0.0.1:65000/v1/chat/completions"]
    assert f"Authorization: Bearer {KEY}" in words
    assert json.loads(words[-1])["model"] == "tiny-eu"


def test_a_second_start_says_where_the_key_is_and_never_shows_one(state: dict[str, Any]) -> None:
    said = ready_screen(state, None, "Ctrl-C", 8.3)
    assert "cptr_" not in said
    # Single quotes around the header would keep the shell from reading the file.
    assert "-H \"Authorization: Bearer $(cat 'comptoir-data/secrets/local-api-key')\"" in said


def test_commands_for_another_folder_name_it(state: dict[str, Any]) -> None:
    said = ready_screen({**state, "data_dir": str(Path("elsewhere").resolve())}, KEY, "Ctrl-C", 8.3)
    assert ".venv/bin/comptoir status --data-dir elsewhere " in said


def test_the_command_is_named_as_this_shell_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    monkeypatch.setattr(sys, "executable", str(binaries / "python"))
    (binaries / "comptoir").write_text("#!/bin/sh\n")
    (binaries / "comptoir").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert command_prefix() == "bin/comptoir"
    monkeypatch.setenv("PATH", str(binaries))
    assert command_prefix() == "comptoir"
