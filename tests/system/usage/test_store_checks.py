"""What the real store says of itself: what is missing, double, too old, and without an end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipelines.usage.adapters.clickhouse_checks import ClickHouseChecks
from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.adapters.clickhouse_schema import ClickHouseSchema
from pipelines.usage.adapters.clickhouse_store import ClickHouseStore
from pipelines.usage.domain.errors import BadFrameError, UnavailableError
from pipelines.usage.domain.frame import decode
from pipelines.usage.settings import ClickHouseSettings
from services.contract.events import Kind
from services.kernel.catalog import Catalog, Model, Region
from services.kernel.clock import SystemClock
from services.kernel.identity import Identity
from tests.pipelines.usage.frames import DAY_MICROSECONDS, body, event, pack, value
from tests.system.clickhouse_process import ClickHouseProcess

pytestmark = pytest.mark.system

_CATALOG = Catalog(
    regions=(Region(number=1, name="eu-fr"),),
    models=(Model(number=1, name="tiny-eu", context_tokens=8, max_output_tokens=8),),
)
_HOUR_MICROSECONDS = 3_600_000_000


class _World:
    def __init__(self, connection: ClickHouse, settings: ClickHouseSettings) -> None:
        self.schema = ClickHouseSchema(connection, settings)
        self.store = ClickHouseStore(connection, settings.database)
        self.checks = ClickHouseChecks(connection, settings.database)


@pytest.fixture
async def world(clickhouse: ClickHouseProcess) -> AsyncIterator[_World]:
    settings = ClickHouseSettings.model_validate(
        {
            "url": clickhouse.url,
            "password_file": Path(clickhouse.folder / "writer-password"),
            "database": f"test_{Identity.random().hex}",
        }
    )
    connection = ClickHouse(settings)
    yield _World(connection, settings)
    await connection.close()


async def test_what_is_missing_double_too_old_or_without_an_end_is_counted(world: _World) -> None:
    with pytest.raises((BadFrameError, UnavailableError)):
        await world.checks.check(7)
    await world.schema.apply(30, _CATALOG)
    nothing = await world.checks.check(7)
    assert set(nothing.missing_events.values()) == set(nothing.double_events.values()) == {0}
    assert set(nothing.overdue_seconds.values()) == {0.0}
    assert nothing.unended_requests == 0

    now = SystemClock().wall_microseconds()
    # Sequences 1 to 3 and 6 to 8: two are missing; and one frame twice, in two of another shape.
    for first in (1, 6):
        await world.store.insert(
            decode(value(first=first, started_at_microseconds=now), kind=Kind.GENERATION)
        )
    again = body(Kind.GENERATION, [event(Kind.GENERATION, 8, started_at_microseconds=now)])
    await world.store.insert(decode(pack(Kind.GENERATION, again, count=1, first=8), kind=Kind.GENERATION))
    # Admitted two hours ago: 1, 2 and 3 have ended, 4 has not.
    then = now - 2 * _HOUR_MICROSECONDS
    admissions = value(Kind.ADMISSION, count=4, started_at_microseconds=then)
    await world.store.insert(decode(admissions, kind=Kind.ADMISSION))
    # Ten days old where seven are promised.
    old = value(Kind.ADMIN_ACT, count=2, started_at_microseconds=now - 10 * DAY_MICROSECONDS)
    await world.store.insert(decode(old, kind=Kind.ADMIN_ACT))

    found = await world.checks.check(7)
    assert found.missing_events[Kind.GENERATION] == 2
    assert found.double_events[Kind.GENERATION] == 1
    assert found.missing_events[Kind.ADMISSION] == found.double_events[Kind.ADMISSION] == 0
    assert found.unended_requests == 1
    assert 3 * 86_400 <= found.overdue_seconds[Kind.ADMIN_ACT] <= 4 * 86_400 + 60
    assert found.overdue_seconds[Kind.GENERATION] == 0
    assert (await world.checks.check(30)).overdue_seconds[Kind.ADMIN_ACT] == 0
