"""The store is asked as the settings' user, and what it refuses is told without its words."""

from pathlib import Path

import pytest

from services.cli.adapters.doctor.store import StoreAwayError, StoreQuestions, newest_migration
from services.kernel.clock import SystemClock
from tests.services.cli.http_server import serving_http


async def test_a_store_that_refuses_or_is_away_is_away(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("hidden\n")
    with serving_http({"/": (403, b"AUTHENTICATION_FAILED: hidden")}) as url:
        settings = {"url": url, "user": "comptoir_writer", "password_file": str(password)}
        with pytest.raises(StoreAwayError) as refused:
            await StoreQuestions(settings, SystemClock()).ask()
    assert str(refused.value) == ""
    with pytest.raises(StoreAwayError):
        await StoreQuestions(settings, SystemClock()).ask()


async def test_a_store_whose_password_cannot_be_read_is_away(tmp_path: Path) -> None:
    settings = {"url": "http://127.0.0.1:1", "user": "x", "password_file": str(tmp_path / "none")}
    with pytest.raises(StoreAwayError):
        await StoreQuestions(settings, SystemClock()).ask()


async def test_what_is_no_store_is_away(tmp_path: Path) -> None:
    with serving_http({"/": (200, b"<html>")}) as url, pytest.raises(StoreAwayError):
        await StoreQuestions({"url": url}, SystemClock()).ask()


def test_the_newest_migration_is_that_of_the_files() -> None:
    schema = Path(__file__).parents[5] / "pipelines" / "usage" / "schema"
    assert newest_migration() == len(list(schema.glob("*.sql")))
