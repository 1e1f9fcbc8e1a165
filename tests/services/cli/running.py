"""Runs the `comptoir` command in this process, as a person would run it from a terminal."""

import sys
from dataclasses import dataclass

import pytest

from services.cli.__main__ import main


@dataclass
class Said:
    status: int
    out: str
    err: str


class Terminal:
    """A wide terminal without colours."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setenv("NO_COLOR", "1")
        # It would mark the process that runs the tests.
        monkeypatch.setattr("services.cli.kafka.reach.keep_private", lambda: None)

    def comptoir(self, *arguments: str) -> Said:
        """What the command said and how it ended."""
        self._monkeypatch.setattr(sys, "argv", ["comptoir", *arguments])
        # The command line always ends its process.
        with pytest.raises(SystemExit) as ended:
            main()
        captured = self._capsys.readouterr()
        status = ended.value.code
        return Said(status if isinstance(status, int) else 0, captured.out, captured.err)

    def refusal(self, *arguments: str) -> str:
        """The one sentence of a command that could not do what it was asked."""
        said = self.comptoir(*arguments)
        assert said.status == 1
        assert said.err.startswith("comptoir: ")
        assert said.err.count("\n") == 1
        assert "Traceback" not in said.err
        return said.err
