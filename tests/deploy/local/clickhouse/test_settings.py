from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy.local.clickhouse.settings import LocalClickHouseSettings
from services.runtime.settings import SettingsError

MODEL = {"number": 1, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 256}
CATALOG = {"regions": [{"number": 1, "name": "eu-fr"}], "models": [MODEL]}


def _settings(tmp_path: Path, **values: object) -> LocalClickHouseSettings:
    document = {
        "region": "eu-fr",
        "catalog": CATALOG,
        "data_folder": tmp_path,
        "writer_password_file": tmp_path / "password",
        **values,
    }
    return LocalClickHouseSettings.model_validate(document)


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "[::1]:8404", "localhost:8404"])
def test_a_loopback_address_is_taken(tmp_path: Path, listen: str) -> None:
    assert _settings(tmp_path, listen=listen).host in ("127.0.0.1", "::1", "localhost")


@pytest.mark.parametrize("listen", ["0.0.0.0:8404", "10.0.0.1:8404", "example.org:8404", "[::]:8404"])
def test_every_other_address_is_refused(tmp_path: Path, listen: str) -> None:
    with pytest.raises(ValidationError, match="loopback"):
        _settings(tmp_path, listen=listen)


def test_a_writer_needs_a_password_that_can_be_read_and_is_not_short(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    with pytest.raises(SettingsError, match="cannot be read"):
        settings.writer()
    (tmp_path / "password").write_text("short\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="16 characters") as raised:
        settings.writer()
    assert "short" not in str(raised.value)
    (tmp_path / "password").write_text("long-enough-a-word\n", encoding="utf-8")
    assert settings.writer().password == "long-enough-a-word"
