"""What an examination makes of the answers of PostgreSQL."""

from pathlib import Path

import pytest

from services.cli import examination
from services.cli.adapters.doctor.key_tables import NoDriverError, newest_revision
from services.cli.doctor.finding import Level
from services.cli.examination import _key_tables
from services.cli.examined import Part

ROUTER = Part("router-2", "router", Path("comptoir.yaml"), {"database_url": "postgresql://keys.example/keys"})


def test_tables_are_compared_with_the_revision_that_is_known_here(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None]] = []

    def revision_of(url: str, password_file: str | None) -> str:
        asked.append((url, password_file))
        return newest_revision()

    monkeypatch.setattr(examination, "revision_of", revision_of)
    (finding,) = _key_tables(ROUTER)
    assert (finding.level, finding.subject) == (Level.OK, "router-2.database_url")
    assert asked == [("postgresql://keys.example/keys", None)]


def test_without_its_client_the_tables_are_said_not_to_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def revision_of(*_: object) -> str:
        raise NoDriverError

    monkeypatch.setattr(examination, "revision_of", revision_of)
    (finding,) = _key_tables(ROUTER)
    assert finding.level is Level.WARN
    assert "comptoir[router]" in finding.next_step
