"""What docs/compose.md has its reader type is there, and its commands on secrets do what it says."""

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from services.cli.secrets.folder import SecretFiles
from tests.compose.project import PROFILES, REPOSITORY, Service, load, networks_of, services
from tests.docs.test_commands import missing
from tests.services.cli.running import Terminal

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

PAGE: Final = (REPOSITORY / "docs" / "compose.md").read_text()
FILES: Final = re.compile(r"^```yaml\n(services:\n.*?)^```$", re.MULTILINE | re.DOTALL)
RUN: Final = re.compile(r"^docker compose run --rm (\S+) (.+)$", re.MULTILINE)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    # It would mark the process that runs the tests.
    monkeypatch.setattr("services.cli.commands.secrets.keep_private", lambda: None)
    return Terminal(monkeypatch, capsys)


def test_every_command_that_it_runs_in_a_container_is_there() -> None:
    found = services(*PROFILES)
    for service, words in RUN.findall(PAGE):
        own = found[service].get("entrypoint") or ["comptoir"]
        assert missing("comptoir", [*own[1:], *shlex.split(words)]) == [], words
    for service, module in re.findall(r"^docker compose exec (\S+) python -m (\S+) ", PAGE, re.MULTILINE):
        assert service in found
        assert importlib.util.find_spec(module) is not None
    for words in re.findall(r"^docker compose (?:logs|restart) (.+)$", PAGE, re.MULTILINE):
        assert set(words.split()) <= set(found)


def test_its_secrets_are_made_checked_and_renewed_as_it_says(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    commands = [shlex.split(words) for service, words in RUN.findall(PAGE) if service == "secrets"]
    assert [words[0] for words in commands] == ["init", "check", "renew", *["authority"] * 3]
    for words in commands:
        given = [word.replace("/secrets", str(folder)) for word in words]
        assert terminal.comptoir("secrets", *given).status == 0
    names = SecretFiles(folder).read("names.yaml")
    assert names is not None
    assert b"llm.example.eu" in names
    assert (folder / "grafana" / "admin-password").is_file()


def test_each_file_for_another_server_leaves_it_what_the_replica_has_and_ends_it_last(tmp_path: Path) -> None:
    base = services("server")["generator-server"]
    llama, sglang = (over(tmp_path, text) for text in FILES.findall(PAGE))
    for found in (llama, sglang):
        assert "engine" in found["generator-server"]["depends_on"]
        assert "depends_on" not in found["engine"]
        assert "ports" not in found["engine"]
    assert llama["engine"]["network_mode"] == "none"
    assert "deploy" not in llama["engine"]
    # Both are in one container's network, which has the replica's name in its networks.
    assert sglang["generator-server"]["network_mode"] == "service:engine"
    assert "networks" not in sglang["generator-server"]
    names = {key: ["generator-server"] for key in networks_of(base)}
    assert networks_of(sglang["engine"]) == names


def over(folder: Path, text: str) -> dict[str, Service]:
    """The services with a file of the page laid over the project's."""
    second = folder / "compose.second.yaml"
    second.write_text(text)
    found: dict[str, Service] = load("server", over=[second])["services"]
    return found


def test_what_it_says_may_be_set_is_a_variable_of_the_file() -> None:
    file = (REPOSITORY / "deploy" / "compose.yaml").read_text()
    for name in set(re.findall(r"\b(COMPTOIR_[A-Z_]+)\b", PAGE)):
        assert f"${{{name}:-" in file, name
