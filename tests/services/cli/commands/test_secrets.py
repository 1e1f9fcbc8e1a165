"""`comptoir secrets` from a terminal: what it says, and that it says nothing secret."""

import json
from pathlib import Path

import pytest

from services.cli.secrets import layout
from tests.services.cli.running import Terminal


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    # It would mark the process that runs the tests.
    monkeypatch.setattr("services.cli.commands.secrets.keep_private", lambda: None)
    return Terminal(monkeypatch, capsys)


def test_a_folder_is_made_checked_and_renewed_and_nothing_of_it_is_said(
    terminal: Terminal, tmp_path: Path
) -> None:
    folder = str(tmp_path / "secrets")
    runs = [
        terminal.comptoir("secrets", "init", folder, "--edge-host", "llm.example.eu", "--days", "20"),
        terminal.comptoir("secrets", "check", folder),
        terminal.comptoir("secrets", "renew", folder),
        terminal.comptoir("secrets", "check", folder),
        terminal.comptoir("secrets", "init", folder),
    ]
    assert [one.status for one in runs] == [0, 1, 0, 0, 0]
    assert runs[0].out.endswith(" files made.\n")
    assert "fail edge-http/tls.crt: It ends in 20 days. → `comptoir secrets renew`" in runs[1].out
    assert "renewed  edge-http/tls.crt" in runs[2].out
    assert runs[3].out == "Everything is there, and good for longer.\n"
    assert runs[4].out == "Nothing was missing.\n"
    everything = "".join(one.out + one.err for one in runs)
    for path in layout.RANDOM:
        assert (tmp_path / "secrets" / path).read_text().strip() not in everything


def test_what_is_to_be_known_alone_is_said_and_well(terminal: Terminal, tmp_path: Path) -> None:
    folder = str(tmp_path / "secrets")
    terminal.comptoir("secrets", "init", folder)
    (tmp_path / "secrets" / layout.CA_KEY).unlink()
    said = terminal.comptoir("secrets", "check", folder)
    assert said.status == 0
    assert said.out.startswith("warn authority/ca.key: It is not there")
    told = json.loads(terminal.comptoir("secrets", "check", folder, "--json").out)
    assert told["counts"] == {"ok": 0, "warn": 1, "fail": 0}
    assert told["findings"][0]["subject"] == layout.CA_KEY
    (tmp_path / "secrets" / "router" / "pepper").unlink()
    assert terminal.comptoir("secrets", "check", folder, "--json").status == 1


def test_an_authority_is_changed_in_three_steps_of_which_each_says_the_next(
    terminal: Terminal, tmp_path: Path
) -> None:
    folder = str(tmp_path / "secrets")
    terminal.comptoir("secrets", "init", folder)
    assert "authority add" in terminal.refusal("secrets", "authority", "use", folder)
    runs = [terminal.comptoir("secrets", "authority", step, folder) for step in ("add", "use", "retire")]
    assert [one.status for one in runs] == [0, 0, 0]
    assert "`comptoir secrets authority use`" in runs[0].err
    assert "`comptoir secrets authority retire`" in runs[1].err
    assert "renewed  edge-tls/tls.crt" in runs[1].out
    assert terminal.comptoir("secrets", "check", folder).out == "Everything is there, and good for longer.\n"


def test_names_that_certificates_cannot_have_are_refused(terminal: Terminal, tmp_path: Path) -> None:
    said = terminal.refusal("secrets", "init", str(tmp_path / "secrets"), "--region", "Not A Region")
    assert said.startswith("comptoir: region: ")
    assert "Not A Region" not in said


def test_a_folder_that_cannot_be_made_is_a_sentence(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = terminal.refusal("secrets", "init", str(tmp_path / "file" / "x"))
    assert said.endswith(": not a directory.\n")
    assert "no folder of secrets" in terminal.refusal("secrets", "renew", str(tmp_path))
