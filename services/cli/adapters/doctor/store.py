"""What ClickHouse says of its clock, its schema and its retention, over its HTTP interface."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import httpx

from services.cli.adapters.doctor.network import SECONDS
from services.cli.doctor.facts import SeenClock, SeenStore
from services.kernel.clock import Clock
from services.runtime.addresses import is_loopback

_MICROSECONDS: Final = 1_000_000
# Of the number that a migration begins with.
_DIGITS: Final = 4


class StoreAwayError(Exception):
    """The store refused or did not answer; its words are not repeated."""


class StoreQuestions:
    """Questions to the store that `usage.clickhouse` names, as the user that stands there."""

    def __init__(self, settings: Mapping[str, Any], clock: Clock) -> None:
        self._url = str(settings["url"])
        self._settings = settings
        self._clock = clock
        self._database = str(settings.get("database") or "comptoir")

    async def ask(self) -> tuple[SeenClock, SeenStore]:
        """Returns its clock beside this machine's, and what it says of itself; StoreAwayError without it."""
        is_here = is_loopback(httpx.URL(self._url).host)
        ca_file = self._settings.get("ca_file")
        # Without TLS there is nothing to verify, and to load the authorities takes half a second.
        verify = (str(ca_file) if ca_file else True) if self._url.startswith("https:") else False
        try:
            async with httpx.AsyncClient(
                timeout=SECONDS,
                # A proxy of the environment has no part in what stays on the machine.
                trust_env=not is_here,
                verify=verify,
                headers=self._who(),
            ) as client:
                return await self._clock_of(client), await self._store_of(client)
        except (httpx.HTTPError, OSError, ValueError, KeyError, IndexError):
            raise StoreAwayError from None

    async def _clock_of(self, client: httpx.AsyncClient) -> SeenClock:
        # The first question pays for the connection.
        await self._rows(client, "SELECT 1 AS one")
        before = self._clock.wall_microseconds()
        rows = await self._rows(client, "SELECT toString(toUnixTimestamp64Micro(now64(6))) AS at")
        after = self._clock.wall_microseconds()
        ahead = int(rows[0]["at"]) - (before + after) / 2
        return SeenClock("usage.clickhouse", ahead / _MICROSECONDS, (after - before) / 2 / _MICROSECONDS)

    async def _store_of(self, client: httpx.AsyncClient) -> SeenStore:
        schema = await self._number(client, "schema_migrations", "max(id)")
        retention = await self._number(client, "catalog_retention", "max(retention_days)")
        return SeenStore(retention, schema)

    async def _number(self, client: httpx.AsyncClient, table: str, what: str) -> int | None:
        found = await self._rows(
            client,
            "SELECT count() AS n FROM system.tables"
            " WHERE database = {database:String} AND name = {name:String}",
            {"param_database": self._database, "param_name": table},
        )
        if not int(found[0]["n"]):
            return None
        rows = await self._rows(
            client,
            f"SELECT toString({what}) AS n FROM {{database:Identifier}}.{table}",  # noqa: S608 - words of ours
            {"param_database": self._database},
        )
        return int(rows[0]["n"]) or None

    async def _rows(
        self, client: httpx.AsyncClient, query: str, parameters: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        asked = {"query": f"{query} FORMAT JSONEachRow", **(parameters or {})}
        answer = (await client.get(self._url, params=asked)).raise_for_status()
        return [json.loads(line) for line in answer.text.splitlines() if line]

    def _who(self) -> dict[str, str]:
        user, file = self._settings.get("user"), self._settings.get("password_file")
        if not user or not file:
            return {}
        password = Path(str(file)).read_text(encoding="utf-8").strip()
        return {"X-ClickHouse-User": str(user), "X-ClickHouse-Key": password}


def newest_migration() -> int:
    """Returns the number of the last migration of the store that is installed here."""
    schema = files("pipelines.usage").joinpath("schema")
    return max(int(entry.name[:_DIGITS]) for entry in schema.iterdir() if entry.name.endswith(".sql"))
