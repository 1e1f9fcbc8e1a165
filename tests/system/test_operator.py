"""What an operator asks a whole stack: what is wrong with it, and a chat on a terminal."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.services.cli.terminal_process import on_a_terminal
from tests.system.stack_process import Stack, run_comptoir

pytestmark = pytest.mark.system


def test_a_stack_that_works_is_found_to_work(stack: Stack) -> None:
    said = stack.comptoir("doctor", "--json", check=False)
    findings = json.loads(said.stdout)["findings"]
    assert [one for one in findings if one["level"] == "fail"] == []
    assert said.returncode == 0
    seen = {(one["check"], one["subject"]) for one in findings}
    processes = ("edge", "router", "generator", "emitter", "usage", "kafka", "clickhouse")
    assert {("configuration", name) for name in processes} <= seen
    assert {("readiness", f"{name}.listen") for name in processes[:5]} <= seen
    assert {
        ("clocks", "edge.listen"),
        ("clocks", "usage.clickhouse"),
        ("clocks", "replica 1"),
        ("versions", "usage.clickhouse"),
        ("versions", "processes"),
        ("retention", "usage.retention_days"),
        ("retention", "kafka"),
        ("region", "API key"),
    } <= seen
    secrets = [path.read_text().strip() for path in (stack.data_dir / "secrets").iterdir()]
    assert [secret for secret in secrets if secret in said.stdout + said.stderr] == []


def test_what_a_changed_settings_file_breaks_is_found_before_it_is_used(stack: Stack, tmp_path: Path) -> None:
    settings = yaml.safe_load((stack.data_dir / "comptoir.yaml").read_text())
    settings["usage"] |= {"retention_days": 7}
    secret = tmp_path / "password"
    shutil.copy(settings["usage"]["clickhouse"]["password_file"], secret)
    secret.chmod(0o644)
    settings["usage"]["clickhouse"]["password_file"] = str(secret)
    file = tmp_path / "changed.yaml"
    file.write_text(yaml.safe_dump(settings))
    said = run_comptoir("doctor", "--config", str(file), "--process", "usage", "--json", check=False)
    failed = {
        (one["check"], one["subject"]): one
        for one in json.loads(said.stdout)["findings"]
        if one["level"] == "fail"
    }
    assert said.returncode == 1
    assert set(failed) == {
        ("retention", "usage.retention_days"),
        ("files", "usage.clickhouse.password_file"),
    }
    assert "keeps 30 days, and the settings say 7" in failed["retention", "usage.retention_days"]["sentence"]


def test_a_chat_with_the_real_engine_goes_on_after_an_answer_was_stopped(
    stack: Stack, tmp_path: Path
) -> None:
    arguments = ("chat", "--data-dir", str(stack.data_dir), "--max-tokens", "2000")
    with on_a_terminal(*arguments, variables={"HOME": str(tmp_path)}) as terminal:
        terminal.until("Ctrl-D ends.")
        terminal.until("> ")
        terminal.type("Écris un long compte rendu.\n")
        # The line that was typed is shown once; what follows is the answer.
        terminal.until("rendu.")
        terminal.until("e")
        terminal.type("\x03")
        terminal.until("> ")
        terminal.type("/clear\n")
        terminal.until("Forgot")
        terminal.until("> ")
        terminal.type("/model\n")
        terminal.until(f"{stack.model} answers")
        terminal.until("> ")
        terminal.type("\x04")
        assert terminal.ended() == 0
