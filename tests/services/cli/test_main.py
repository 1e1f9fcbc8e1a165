"""Every command says what it does, and every problem is one sentence."""

import json
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

import pytest

from deploy.local.stack.options import REPOSITORY
from services.runtime.settings import environment
from tests.services.cli.running import Terminal

# Ctrl-C in the middle of the first second: while a module is looked for.
INTERRUPTED: Final = """
import importlib.abc
import os
import signal
import sys


class Terminal(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)


sys.meta_path.insert(0, Terminal())
"""


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ((), ("up", "status", "chat", "keys", "report", "--version", "--install-completion")),
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


def test_the_version_is_one_line(terminal: Terminal) -> None:
    said = terminal.comptoir("--version")
    assert (said.status, said.out) == (0, f"comptoir {metadata.version('comptoir')}\n")


def test_a_report_of_a_fault_has_every_version_that_matters(terminal: Terminal) -> None:
    versions = json.loads(terminal.comptoir("--version", "--json").out)
    assert versions["python"] == platform.python_version()
    assert versions["grpcio"] == metadata.version("grpcio")
    assert {name.removesuffix("-cpu") for name in versions} >= {"comptoir", "comptoir-client", "vllm"}


@pytest.mark.parametrize("arguments", [("--json",), ("--json", "status")])
def test_json_before_a_command_is_refused_with_where_it_goes(
    terminal: Terminal, arguments: tuple[str, ...]
) -> None:
    said = terminal.comptoir(*arguments)
    assert said.status == 2
    assert "behind it" in said.err


def test_an_interruption_while_modules_are_imported_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED)
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "--version"],
        env={**environment(), "PYTHONPATH": str(tmp_path)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
