"""Versions, schema, retention and region."""

import pytest

from services.cli.doctor.data import (
    of_key,
    of_key_tables,
    of_region,
    of_retention,
    of_schema,
    of_topics,
    of_versions,
)
from services.cli.doctor.facts import SeenStore
from services.cli.doctor.finding import Level
from services.contract.transfer import Mechanism, TransferRecord
from services.kernel.catalog import Catalog

DAY = 86_400
DAY_MS = 1000 * DAY
CATALOG = Catalog.model_validate(
    {
        "regions": [
            {"number": 1, "name": "eu-fr"},
            {"number": 2, "name": "ae", "country": "AE", "is_eu": False, "base_url": "https://ae.example/v1"},
        ],
        "models": [{"number": 1, "name": "m", "context_tokens": 10, "max_output_tokens": 5}],
    }
)
FRANCE, EMIRATES = CATALOG.regions


def record(until_days: int) -> TransferRecord:
    return TransferRecord(
        number=7,
        region="ae",
        home_regions=("eu-fr",),
        importer="x",
        mechanism=Mechanism.SCC,
        assessment_sha256="0" * 64,
        from_seconds=DAY,
        until_seconds=until_days * DAY,
    )


@pytest.mark.parametrize(
    ("installed", "level"),
    [
        ({"comptoir": "1.0.0", "comptoir-client": "1.0.0", "grpcio": "1.85.1"}, Level.OK),
        ({"comptoir": "1.0.0", "comptoir-client": "0.9.0"}, Level.FAIL),
        ({"comptoir": "1.0.0"}, Level.FAIL),
    ],
)
def test_what_is_released_together_is_installed_together(installed: dict[str, str], level: Level) -> None:
    assert of_versions(installed).level is level


@pytest.mark.parametrize(
    ("found", "level", "step"),
    [
        (None, Level.FAIL, "start a router"),
        ("0006", Level.FAIL, "the first one migrates"),
        ("0007", Level.OK, ""),
        ("0008", Level.FAIL, "update Comptoir here"),
    ],
)
def test_the_tables_of_keys_are_those_of_this_version(found: str | None, level: Level, step: str) -> None:
    finding = of_key_tables("router.database_url", found, "0007")
    assert finding.level is level
    assert step in finding.next_step
    assert (found or "no tables") in finding.sentence


@pytest.mark.parametrize(
    ("found", "level"), [(12, Level.OK), (11, Level.FAIL), (13, Level.WARN), (None, Level.FAIL)]
)
def test_the_stores_schema_is_that_of_this_version(found: int | None, level: Level) -> None:
    assert of_schema(SeenStore(30, found), 12).level is level


@pytest.mark.parametrize(("kept", "level"), [(14, Level.OK), (30, Level.FAIL), (None, Level.WARN)])
def test_the_store_keeps_what_the_settings_say(kept: int | None, level: Level) -> None:
    assert of_retention(SeenStore(kept, 12), 14).level is level


@pytest.mark.parametrize(
    ("topics", "level", "says"),
    [
        ({"a": 7 * DAY_MS}, Level.OK, "7.0 days at most, the store 14"),
        ({"a": DAY_MS, "b": 15 * DAY_MS}, Level.FAIL, "keeps b for 15.0 days"),
        ({"a": DAY_MS, "b": -1}, Level.FAIL, "keeps b for ever"),
        ({}, Level.WARN, "no topic"),
    ],
)
def test_kafka_keeps_nothing_longer_than_the_store(topics: dict[str, int], level: Level, says: str) -> None:
    finding = of_topics(topics, 14)
    assert (finding.level, says in finding.sentence) == (level, True), finding


def test_a_region_of_the_union_needs_no_record() -> None:
    assert of_region(FRANCE, {}, 0).level is Level.OK


@pytest.mark.parametrize(
    ("now_days", "level"), [(2, Level.OK), (80, Level.WARN), (101, Level.FAIL), (0, Level.FAIL)]
)
def test_a_region_abroad_needs_one_in_force(now_days: int, level: Level) -> None:
    assert of_region(EMIRATES, {7: record(100)}, now_days * DAY).level is level


def test_a_record_of_another_region_does_not_help() -> None:
    assert of_region(EMIRATES, {}, 2 * DAY).level is Level.FAIL


@pytest.mark.parametrize(
    ("region", "level"), [("eu-fr", Level.OK), ("ae", Level.FAIL), ("xx", Level.FAIL), (None, Level.FAIL)]
)
def test_a_key_is_of_a_region_that_is_answered_here(region: str | None, level: Level) -> None:
    (finding,) = of_key(region, FRANCE, CATALOG)
    assert finding.level is level
