from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.kafka.settings import SECTION, LocalKafkaSettings
from services.runtime.settings import SettingsError, load_settings


def _load(tmp_path: Path, **section: Any) -> LocalKafkaSettings:
    model = {"number": 1, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 256}
    catalog = {"regions": [{"number": 1, "name": "eu-fr"}], "models": [model]}
    document = {
        "region": "eu-fr",
        "catalog": catalog,
        SECTION: {"data_folder": str(tmp_path / "kafka"), **section},
    }
    path = tmp_path / "comptoir.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_settings(LocalKafkaSettings, section=SECTION, path=path, environ={})


def test_the_defaults_are_usable(tmp_path: Path) -> None:
    settings = _load(tmp_path)

    assert (settings.host, settings.port, settings.controller_port) == ("127.0.0.1", 8405, 8406)
    assert settings.plan.log_folder == tmp_path / "kafka" / "log"


def test_by_default_a_record_is_gone_before_the_shortest_retention_of_the_store(tmp_path: Path) -> None:
    settings = _load(tmp_path)

    assert settings.retention_hours + settings.roll_hours < 7 * 24


def test_the_cache_follows_the_desktop_convention(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert _load(tmp_path).cache_folder == tmp_path / "cache" / "comptoir" / "kafka"

    monkeypatch.delenv("XDG_CACHE_HOME")
    assert _load(tmp_path).cache_folder == Path.home() / ".cache" / "comptoir" / "kafka"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_loopback_hosts_are_taken(tmp_path: Path, host: str) -> None:
    assert _load(tmp_path, listen=f"{host}:9000").port == 9000


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"listen": "0.0.0.0:8405"}, "listen: .*loopback"),
        ({"listen": "kafka.example:8405"}, "listen: .*loopback"),
        ({"listen": "127.0.0.1"}, "listen: .*host:port"),
        ({"controller_port": 8405}, "controller_port must differ"),
        ({"data_folder": "/a,b"}, "data_folder: .*comma"),
        ({"cache_folder": "/a:b"}, "cache_folder: .*colon"),
        ({"heap_megabytes": 16}, "heap_megabytes"),
        ({"retention_hours": 721}, "retention_hours"),
        ({"roll_hours": 25}, "roll_hours"),
        ({"topics": [{"name": "a"}, {"name": "a"}]}, "topics: a name stands twice"),
        ({"topics": [{"name": "Not A Topic"}]}, "topics.0.name"),
        ({"listne": "127.0.0.1:1"}, "listne: is not a known key"),
    ],
)
def test_what_cannot_work_is_refused_by_name(tmp_path: Path, section: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        _load(tmp_path, **section)
