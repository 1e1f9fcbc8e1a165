from pathlib import Path
from typing import Any

import pytest
import yaml

from services.emitter.settings import EmitterSettings
from services.runtime.settings import SettingsError, load_settings

SECTION: dict[str, Any] = {
    "listen": {"address": "unix:/run/comptoir/emitter"},
    "kafka": {"bootstrap": "127.0.0.1:8405"},
    "spool_folder": "spool",
    "pseudonym_epoch": 1,
    "pseudonym_secret_file": "secret",
}


def loaded(folder: Path, **changes: Any) -> EmitterSettings:
    model = {"number": 1, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 256}
    catalog = {"regions": [{"number": 1, "name": "eu-fr"}], "models": [model]}
    file = folder / "comptoir.yaml"
    file.write_text(
        yaml.safe_dump({"region": "eu-fr", "catalog": catalog, "emitter": {**SECTION, **changes}})
    )
    return load_settings(EmitterSettings, section="emitter", path=file, environ={})


def test_five_keys_are_enough(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert settings.spool_folder == Path("spool")
    assert settings.is_flushed


def test_durability_for_the_process_alone_is_a_choice(tmp_path: Path) -> None:
    assert loaded(tmp_path, durability="process").is_flushed is False


def test_plaintext_to_kafka_stays_on_the_machine(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="needs tls"):
        loaded(tmp_path, kafka={"bootstrap": "127.0.0.1:9092,kafka.example:9092"})


def test_plaintext_on_the_machine_needs_no_tls(tmp_path: Path) -> None:
    assert loaded(tmp_path).kafka.ssl_context() is None


def test_a_tls_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = {"certificate_file": "a.pem", "private_key_file": "b", "ca_file": "c"}
    kafka = loaded(tmp_path, kafka={"bootstrap": "kafka.example:9092", "tls": missing}).kafka
    with pytest.raises(SettingsError, match=r"TLS file a\.pem"):
        kafka.ssl_context()


@pytest.mark.parametrize(
    "change",
    [
        {"spool_max_age_seconds": 7 * 86_400},
        {"frame_max_events": 2_001},
        {"pseudonym_epoch": 0},
        {"durability": "hope"},
        {"linger": 1},
        {"frame_linger_seconds": 0},
    ],
)
def test_what_would_break_a_promise_is_refused_by_name(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(change))):
        loaded(tmp_path, **change)
