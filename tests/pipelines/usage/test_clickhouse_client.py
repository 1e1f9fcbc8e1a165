"""The connection to ClickHouse goes to the address of its settings, whatever the environment says."""

from pathlib import Path

import pytest

from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.domain.errors import UnavailableError
from pipelines.usage.settings import ClickHouseSettings
from tests.services.cli.http_server import serving_http


async def test_a_proxy_of_the_environment_is_not_asked_for_a_store_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("secret")
    asked: list[tuple[str, bytes, str]] = []
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    settings = ClickHouseSettings(url="http://127.0.0.1:9", password_file=tmp_path / "password")  # type: ignore[arg-type]
    store = ClickHouse(settings)
    with serving_http({}, asked) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        with pytest.raises(UnavailableError):
            await store.rows("SELECT 1")
    await store.close()
    assert asked == []
