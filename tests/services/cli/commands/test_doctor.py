"""doctor: what is wrong with settings and a stack, each with what to do, in text and JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.stack.paths import DataPaths
from tests.ports import free_block
from tests.services.cli.running import Terminal
from tests.services.runtime.certificates import Authority

CATALOG = {
    "regions": [{"number": 1, "name": "eu-fr"}],
    "models": [{"number": 1, "name": "m", "context_tokens": 10, "max_output_tokens": 5}],
}


def written(folder: Path, **sections: Any) -> Path:
    file = folder / "comptoir.yaml"
    file.write_text(yaml.safe_dump({"region": "eu-fr", "catalog": CATALOG, **sections}))
    return file


def emitter(folder: Path, **more: Any) -> dict[str, Any]:
    port = free_block()
    secret = folder / "pseudonyms"
    secret.write_text("ab" * 32)
    secret.chmod(0o600)
    return {
        "listen": {"address": f"unix:{folder}/emitter.sock"},
        "spool_folder": str(folder / "spool"),
        "kafka": {"bootstrap": f"127.0.0.1:{port}"},
        "pseudonym_epoch": 1,
        "pseudonym_secret_file": str(secret),
        **more,
    }


def test_a_process_that_does_not_run_is_told_with_what_it_does_not_reach(
    terminal: Terminal, tmp_path: Path
) -> None:
    section = emitter(tmp_path)
    said = terminal.comptoir("doctor", "--config", str(written(tmp_path, emitter=section)), "--json")
    content = json.loads(said.out)
    assert said.status == 1
    found = {(one["check"], one["subject"]): one for one in content["findings"]}
    assert found["configuration", "emitter"]["level"] == "ok"
    assert found["files", "emitter.pseudonym_secret_file"]["level"] == "ok"
    assert found["machine", "emitter.spool_folder"]["level"] in {"ok", "warn"}
    assert found["region", "eu-fr"]["level"] == "ok"
    away = found["reachability", "emitter.kafka"]
    assert away["level"] == "fail"
    assert section["kafka"]["bootstrap"] in away["sentence"]
    assert found["reachability", "emitter.listen"]["level"] == "fail"
    assert content["counts"]["fail"] == sum(one["level"] == "fail" for one in content["findings"])
    assert all(one["next_step"] for one in content["findings"] if one["level"] != "ok")


def test_wrong_settings_an_open_secret_and_an_old_certificate_are_told_and_no_secret(
    terminal: Terminal, tmp_path: Path
) -> None:
    files = Authority(tmp_path / "ca").files("emitter", dns="emitter.example")
    section = emitter(
        tmp_path,
        kafka={"bootstrap": "127.0.0.1:1", "tls": {k: str(v) for k, v in files.model_dump().items()}},
        no_such_key="cptr_hidden",
    )
    (tmp_path / "pseudonyms").chmod(0o644)
    said = terminal.comptoir("doctor", "--config", str(written(tmp_path, emitter=section)))
    assert said.status == 1
    assert "no_such_key" in said.out
    assert "chmod 600" in said.out
    assert "for 127.0.0.1, emitter.example is good for 24.0 hours" in said.out
    assert "hidden" not in said.out + said.err
    assert "ab" * 32 not in said.out + said.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--config", "nowhere.yaml"), "nowhere.yaml cannot be read"),
        (("--data-dir", "nowhere"), "comptoir up --data-dir"),
    ],
)
def test_what_cannot_be_looked_at_is_one_sentence_and_2(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = terminal.comptoir("doctor", *arguments)
    assert said.status == 2
    assert says in said.err
    assert said.err.count("\n") == 1


def test_a_process_that_has_no_settings_there_is_2(terminal: Terminal, tmp_path: Path) -> None:
    file = str(written(tmp_path, emitter=emitter(tmp_path)))
    assert terminal.comptoir("doctor", "--config", file, "--process", "edge").status == 2
    said = terminal.comptoir("doctor", "--config", file, "--process", "dance")
    assert (said.status, "there is edge, router" in said.err) == (2, True)


def test_a_stack_that_does_not_run_is_looked_at_without_a_question(
    terminal: Terminal, paths: DataPaths
) -> None:
    paths.config.write_text(
        yaml.safe_dump({"region": "eu-fr", "catalog": CATALOG, "edge": {"listen": {"port": 1}}})
    )
    said = terminal.comptoir("doctor", "--data-dir", str(paths.root))
    assert said.status == 1
    assert "Nothing runs" in said.out
    assert "reachability" not in said.out
    # The kept key of this folder is none that was ever made.
    assert "its checksum is wrong" in said.out
    assert "cptr_kept" not in said.out


def test_a_database_that_does_not_answer_is_told_with_what_to_look_at(
    terminal: Terminal, tmp_path: Path
) -> None:
    config = written(tmp_path, router={"database_url": "postgresql://comptoir@127.0.0.1:1/keys"})
    said = json.loads(terminal.comptoir("doctor", "--config", str(config), "--json").out)
    found = [one for one in said["findings"] if one["subject"] == "router.database_url"]
    asked = next(one for one in found if one["sentence"] == "PostgreSQL answers no question.")
    assert (asked["check"], asked["level"]) == ("reachability", "fail")
    assert "database_password_file" in asked["next_step"]
