"""Every command says what it does, and every problem is one sentence."""

from pathlib import Path

import pytest

from tests.services.cli.running import Terminal


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ((), ("up", "status", "logs", "down", "chat", "keys", "tenants", "report")),
        (
            ("up",),
            (
                "--data-dir",
                "--port",
                "--model",
                "--engine",
                "--kafka",
                "--clickhouse",
                "--config",
                "--detach",
                "--json",
            ),
        ),
        (("status",), ("--data-dir", "--json", "Exits with 3")),
        (("logs",), ("SERVICE", "--lines", "--follow")),
        (("down",), ("--data-dir", "--timeout-seconds")),
        (("chat",), ("PROMPT", "--base-url", "--model", "COMPTOIR_API_KEY")),
        (("report", "latency"), ("--clickhouse", "--hours", "--json")),
        (("keys",), ("create", "list", "revoke")),
        (("keys", "create"), ("--tenant", "--model", "--requests-per-minute", "--expires-in-days")),
        (("tenants",), ("create", "list")),
    ],
)
def test_help_teaches(terminal: Terminal, command: tuple[str, ...], words: tuple[str, ...]) -> None:
    said = terminal.comptoir(*command, "--help")
    assert said.status == 0
    assert [word for word in words if word.lower() not in said.out.lower()] == []
    assert "report-to" not in said.out


def test_a_command_that_does_not_exist_is_refused(terminal: Terminal) -> None:
    assert terminal.comptoir("dance").status == 2


@pytest.mark.parametrize("command", [("status",), ("chat", "Bonjour"), ("report", "latency")])
def test_where_nothing_runs_the_sentence_says_how_to_start(
    terminal: Terminal, tmp_path: Path, command: tuple[str, ...]
) -> None:
    sentence = terminal.refusal(*command, "--data-dir", str(tmp_path))
    assert f"comptoir up --data-dir {tmp_path}" in sentence
