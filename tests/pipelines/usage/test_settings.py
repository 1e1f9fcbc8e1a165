from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.usage.domain.ports import Partition, Record
from pipelines.usage.domain.rules import StoreTerms
from pipelines.usage.settings import UsageSettings
from services.runtime.settings import SettingsError, load_settings

SHARED = {
    "region": "eu-fr",
    "catalog": {
        "regions": [{"number": 3, "name": "eu-fr"}],
        "models": [{"number": 1, "name": "tiny-eu", "context_tokens": 8, "max_output_tokens": 8}],
    },
}


def load(tmp_path: Path, **section: Any) -> UsageSettings:
    (tmp_path / "password").write_text("made-up\n")
    settings = {
        "listen": {"address": "127.0.0.1:8407"},
        "kafka": {"bootstrap": "127.0.0.1:8405"},
        "clickhouse": {"url": "http://127.0.0.1:8404", "password_file": str(tmp_path / "password")},
        **section,
    }
    path = tmp_path / "comptoir.yaml"
    path.write_text(yaml.safe_dump({**SHARED, "usage": settings}))
    return load_settings(UsageSettings, section="usage", path=path, environ={})


def test_the_least_that_must_be_said_is_enough(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.retention_days == 30
    assert settings.store_terms == StoreTerms(region=3, most_uncommitted_frames=5_000)
    assert settings.clickhouse.password() == "made-up"
    assert settings.kafka.ssl_context() is None


@pytest.mark.parametrize("days", [7, 8, 29, 30])
def test_a_retention_of_7_to_30_days_is_taken(tmp_path: Path, days: int) -> None:
    assert load(tmp_path, retention_days=days).retention_days == days


@pytest.mark.parametrize("days", [-1, 0, 1, 6, 31, 365, "forever", 7.5])
def test_any_other_retention_is_refused_at_start(tmp_path: Path, days: object) -> None:
    with pytest.raises(SettingsError, match="retention_days"):
        load(tmp_path, retention_days=days)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"kafka": {"bootstrap": "kafka.example:9092"}}, "needs tls"),
        ({"clickhouse": {"url": "http://store.example:8123", "password_file": "x"}}, "must be https"),
        ({"clickhouse": {"url": "http://127.0.0.1:1", "password_file": "x", "database": "a b"}}, "database"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_what_is_unsafe_or_unknown_is_refused_by_name(
    tmp_path: Path, section: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        load(tmp_path, **section)


def test_a_missing_secret_file_is_named(tmp_path: Path) -> None:
    settings = load(tmp_path)
    (tmp_path / "password").unlink()
    with pytest.raises(SettingsError, match="password"):
        settings.clickhouse.password()


def test_what_a_person_gives_up_is_a_position_or_a_range(tmp_path: Path) -> None:
    topic = "comptoir.generation.v1"
    rules = load(tmp_path, given_up=[f"{topic}:3:17", f"{topic}:0:5-9"])
    for record, is_given_up in (
        (Record(Partition(topic, 0), 9, b""), True),
        (Record(Partition(topic, 0), 10, b""), False),
    ):
        assert rules.is_given_up(record) is is_given_up


@pytest.mark.parametrize("position", ["comptoir.generation.v1", "x:1", "x:1:-5", "x:1:5-", "a b:1:1"])
def test_a_position_that_is_none_is_refused(tmp_path: Path, position: str) -> None:
    with pytest.raises(SettingsError, match="given_up"):
        load(tmp_path, given_up=[position])
