"""The router's section: safe defaults, and one sentence for what cannot be used."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.router.settings import RouterSettings
from services.runtime.settings import SettingsError, load_settings

SECTION = {
    "listen": {"address": "127.0.0.1:8401"},
    "replica_listen": {"address": "unix:/run/comptoir/replicas"},
    "admin_listen": {"address": "unix:/run/comptoir/admin"},
    "emitter": {"address": "127.0.0.1:8403"},
    "database_file": "router.sqlite",
    "pepper_file": "pepper",
    "signing_key_file": "signing-key",
}


def load(folder: Path, **fields: Any) -> RouterSettings:
    document = {
        "region": "eu-fr",
        "catalog": {
            "regions": [{"number": 1, "name": "eu-fr"}],
            "models": [{"number": 1, "name": "tiny-eu", "context_tokens": 64, "max_output_tokens": 64}],
        },
        "router": {**SECTION, **fields},
    }
    (folder / "comptoir.yaml").write_text(yaml.safe_dump(document))
    return load_settings(RouterSettings, section="router", path=folder / "comptoir.yaml", environ={})


def test_addresses_and_files_are_enough(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.reserved_seconds == settings.ticket_lifetime_seconds + 2 == 12
    assert settings.accepted_seconds == 602
    assert settings.place_wait_seconds == 0.1
    assert settings.replica_silent_seconds == 10
    assert settings.default_quota.concurrency > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"ticket_lifetime_seconds": 61},
        {"ticket_lifetime_seconds": 0},
        {"acceptance_delay_seconds": -1},
        {"place_wait_seconds": 1.5},
        {"replica_return_seconds": 0},
        {"signing_key_number": 0},
        {"placement": {"policy": "fastest"}},
        {"default_quota": {"concurrency": -1}},
        {"listen": {"address": "0.0.0.0:8401"}},
        {"admin_listen": {"address": "127.0.0.1:8409"}},
        {"replica_listen": {"address": "127.0.0.1:8409"}},
        {"replica_listen": {"address": "unix:/run/comptoir/admin"}},
        {"replica_name": "generator"},
        {"scaler_listen": {"address": "127.0.0.1:8409"}},
        {"scaler_listen": {"address": "unix:/run/comptoir/admin"}},
        {"scaling": [{"model": "nobody"}]},
        {"scaling": [{"model": "tiny-eu"}, {"model": "tiny-eu"}]},
        {"scaling": [{"model": "tiny-eu", "min_replicas": 2, "max_replicas": 1}]},
        {"unheard_of": 1},
        {"pepper": "secret"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_is_unsafe_or_unknown_is_refused_by_name(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        load(tmp_path, **wrong)


def test_every_field_says_what_it_is_for() -> None:
    named_here = set(RouterSettings.model_fields) - {"region", "catalog", "telemetry", "log_level"}
    assert all(RouterSettings.model_fields[name].description for name in named_here)


URL = "postgresql://comptoir@db.example/keys?sslmode=verify-full"


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "postgresql://comptoir@127.0.0.1:5432/keys",
        "postgresql://comptoir@localhost/keys?host=/run/postgresql",
        "postgresql://comptoir@db.example/keys?sslmode=verify-full&sslrootcert=/etc/ca.pem",
    ],
)
def test_keys_may_be_in_a_database_that_routers_share(tmp_path: Path, url: str) -> None:
    settings = load(tmp_path, database_file=None, database_url=url)
    assert str(settings.database_url) == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://comptoir:hunter2@localhost/keys", "no password"),
        (URL + "&password=hunter2", "no more than"),
        ("postgresql://comptoir@db.example/keys", "sslmode=verify-full"),
        ("postgresql://comptoir@db.example/keys?sslmode=require", "sslmode=verify-full"),
        ("postgresql://comptoir@localhost/keys?host=db.example", "no host but"),
        ("postgresql://a@localhost,b@db.example/keys", "one host"),
        ("postgresql://comptoir@localhost", "a database"),
        ("mysql://comptoir@localhost/keys", "database_url"),
    ],
)
def test_a_database_that_would_be_reached_unsafely_is_refused_without_its_words(
    tmp_path: Path, url: str, says: str
) -> None:
    with pytest.raises(SettingsError, match=says) as refusal:
        load(tmp_path, database_url=url)
    assert "hunter2" not in str(refusal.value)
    assert "example" not in str(refusal.value)


def test_keys_need_a_place(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="database_file or database_url"):
        load(tmp_path, database_file=None)
