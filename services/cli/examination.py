"""Looks at everything side by side, each thing in bounded time, and has it judged."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from deploy.local.stack.errors import StackError
from services.cli.adapters.doctor.builds import ask_build
from services.cli.adapters.doctor.files import most_open_files, see_file, see_folder
from services.cli.adapters.doctor.key_tables import (
    KeysAwayError,
    NoDriverError,
    newest_revision,
    revision_of,
)
from services.cli.adapters.doctor.network import reach
from services.cli.adapters.doctor.processes import check_settings
from services.cli.adapters.doctor.readiness import ask_over_grpc, ask_over_http
from services.cli.adapters.doctor.region import region_findings
from services.cli.adapters.doctor.store import StoreAwayError, StoreQuestions, newest_migration
from services.cli.adapters.live import ask_stack
from services.cli.doctor import builds, clocks, data, files, machine, reachability
from services.cli.doctor.facts import Reach, SeenClock
from services.cli.doctor.finding import Finding, fail, warn
from services.cli.doctor.places import Place, Speaks, files_of, places_of
from services.cli.examined import Examined, Part
from services.cli.versions import comptoir_version, installed_versions
from services.contract.events import RETENTION_MAX_DAYS
from services.kernel.clock import Clock
from services.runtime.settings import environment

_MICROSECONDS: Final = 1_000_000
_READY_AT: Final = frozenset({"edge", "router", "generator", "emitter", "usage"})
_MAX_CONNECTIONS: Final = 4096
_SPOOL_BYTES: Final = 1024**3
_FOLDERS: Final = ("spool_folder", "data_folder")


class Examination:
    """One run over what is examined; `on_done` hears how many of how many questions are answered."""

    def __init__(self, examined: Examined, clock: Clock, on_done: Callable[[int, int], None]) -> None:
        self._examined = examined
        self._clock = clock
        self._on_done = on_done

    async def findings(self) -> list[Finding]:
        """Returns all findings, in the order of the questions."""
        # Times and clocks first: what follows keeps the processor busy, and would be seen in them.
        reached = await asyncio.gather(*map(reach, self._places() if self._examined.is_running else ()))
        asked = list(self._while_running(reached)) if self._examined.is_running else []
        local = list(self._everywhere())
        done = 0

        async def answered(question: Awaitable[list[Finding]]) -> list[Finding]:
            nonlocal done
            found = await question
            done += 1
            self._on_done(done, len(asked) + len(local))
            return found

        answers = await asyncio.gather(*map(answered, asked))
        answers += await asyncio.gather(*map(answered, local))
        return [finding for answer in answers for finding in answer]

    def _everywhere(self) -> Iterator[Awaitable[list[Finding]]]:
        """Yields the other questions; but for Kafka's, they need nothing to run."""
        for part in self._examined.parts:
            yield _one(check_settings(part.name, part.section, part.file, environment()))
        yield _at_once(lambda: [data.of_versions(installed_versions())])
        yield asyncio.to_thread(self._files)
        first = self._examined.parts[0]
        yield _at_once(lambda: region_findings(first.file, self._examined.api_key, self._now_seconds()))
        yield asyncio.to_thread(self._machine)
        writer = self._examined.part("usage", "emitter")
        if writer is not None and self._examined.is_running:
            yield asyncio.to_thread(_topics, writer, self._examined.part("usage"))

    def _while_running(self, reached: Sequence[Reach]) -> Iterator[Awaitable[list[Finding]]]:
        """Yields the questions to what runs."""
        for seen in reached:
            yield self._place(seen)
        yield _builds([seen.place for seen in reached if seen.trouble is None])
        usage = self._examined.part("usage")
        if usage is not None:
            yield self._store(usage)
        router = self._examined.part("router")
        if router is not None:
            yield asyncio.to_thread(_replica_clocks, router)
            if router.settings.get("database_url"):
                yield asyncio.to_thread(_key_tables, router)
            lease_store = router.settings.get("lease_store") or {}
            if lease_store.get("address", "memory") != "memory":
                yield self._redis(f"{router.name}.lease_store", lease_store)

    def _places(self) -> list[Place]:
        """Returns each address once for each certificate that is shown there, by who listens there first."""
        named = [place for part in self._examined.parts for place in places_of(part.name, part.settings)]
        places: dict[object, Place] = {}
        for place in sorted(named, key=lambda place: not place.is_own):
            places.setdefault((place.address, place.speaks, place.tls), place)
        return list(places.values())

    async def _place(self, seen: Reach) -> list[Finding]:
        place = seen.place
        found = [reachability.of_reach(seen)]
        if seen.shown is not None:
            shown = files.of_certificate(f"{place.key} shows", seen.shown, self._now_seconds())
            found.append(shown)
        process, _, name = place.key.partition(".")
        section = next((part.section for part in self._examined.parts if part.name == process), "")
        if seen.trouble is not None or not place.is_own or name != "listen" or section not in _READY_AT:
            return found
        if place.speaks is Speaks.GRPC:
            return [*found, reachability.of_readiness(await ask_over_grpc(place, seen.shown))]
        said, clock = await ask_over_http(place, self._clock)
        found.append(reachability.of_readiness(said))
        return found if clock is None else [*found, clocks.of_clock(clock)]

    async def _store(self, usage: Part) -> list[Finding]:
        days = int(usage.settings.get("retention_days") or RETENTION_MAX_DAYS)
        try:
            clock, store = await StoreQuestions(usage.settings["clickhouse"], self._clock).ask()
        except StoreAwayError:
            step = "look at usage.clickhouse: its URL, user and password_file"
            return [fail(reachability.REACH, "usage.clickhouse", "The store answers no question.", step)]
        return [
            clocks.of_clock(clock),
            data.of_schema(store, newest_migration()),
            data.of_retention(store, days),
        ]

    async def _redis(self, key: str, settings: Mapping[str, Any]) -> list[Finding]:
        from services.cli.adapters.doctor.redis_clock import redis_clock  # noqa: PLC0415 - where leases are there

        clock = await redis_clock(key, settings, self._clock)
        if clock is None:
            step = "look at its user and password_file, and at the files below its tls"
            return [fail(reachability.REACH, key, "The server of the leases answers no question.", step)]
        return [clocks.of_clock(clock)]

    def _files(self) -> list[Finding]:
        named = {
            file.path: file for part in self._examined.parts for file in files_of(part.name, part.settings)
        }
        return [
            finding
            for file in named.values()
            for finding in files.of_file(see_file(file), self._now_seconds())
        ]

    def _machine(self) -> list[Finding]:
        found = []
        for part in self._examined.parts:
            for key in _FOLDERS:
                if key not in part.settings:
                    continue
                is_spool = key == "spool_folder"
                most = int(part.settings.get("spool_max_bytes") or _SPOOL_BYTES) if is_spool else 0
                seen = see_folder(f"{part.name}.{key}", Path(part.settings[key]), most_bytes=most)
                found += [] if seen is None else [machine.of_folder(seen)]
        edge = self._examined.part("edge")
        if edge is not None:
            connections = int(edge.settings.get("max_connections") or _MAX_CONNECTIONS)
            found.append(machine.of_open_files(most_open_files(), connections))
        return found

    def _now_seconds(self) -> float:
        return self._clock.wall_microseconds() / _MICROSECONDS


async def _builds(places: Sequence[Place]) -> list[Finding]:
    shown = [place for place in places if place.is_own and place.key.endswith(".metrics_listen")]
    answers = await asyncio.gather(*map(ask_build, shown))
    return builds.of_builds([build for build in answers if build is not None], comptoir_version())


def _topics(writer: Part, usage: Part | None) -> list[Finding]:
    from services.cli.adapters.doctor.topics import topic_retention  # noqa: PLC0415 - librdkafka

    days = RETENTION_MAX_DAYS if usage is None else int(usage.settings.get("retention_days") or 30)
    try:
        return [data.of_topics(topic_retention(writer.settings["kafka"]), days)]
    except StackError as error:
        step = "`comptoir kafka check`, with the rights of an administrator of Kafka"
        return [warn(data.RETENTION, "kafka", f"How long Kafka keeps records was not seen. {error}", step)]


def _key_tables(router: Part) -> list[Finding]:
    key, settings = f"{router.name}.database_url", router.settings
    try:
        found = revision_of(str(settings["database_url"]), settings.get("database_password_file"))
    except NoDriverError:
        step = "install comptoir[router] here, or run this where a router runs"
        return [
            warn(data.VERSIONS, key, "Its tables are not looked at: psycopg is not installed here.", step)
        ]
    except KeysAwayError:
        step = "look at router.database_url and database_password_file, and at the server's log"
        return [fail(reachability.REACH, key, "PostgreSQL answers no question.", step)]
    return [data.of_key_tables(key, found, newest_revision())]


def _replica_clocks(router: Part) -> list[Finding]:
    """Returns findings about the replicas' clocks, as a router on this machine measures them."""
    listen = router.settings.get("admin_listen") or {}
    if listen.get("tls") or not listen.get("address"):
        return []
    replicas: list[dict[str, Any]] = ask_stack({"admin": str(listen["address"])})["replicas"] or []
    return [
        clocks.of_clock(SeenClock(f"replica {replica['number']}", replica["clock_offset_seconds"], 0.1))
        for replica in replicas
        if replica["clock_offset_seconds"] is not None
    ]


async def _one(question: Awaitable[Finding]) -> list[Finding]:
    return [await question]


async def _at_once(question: Callable[[], list[Finding]]) -> list[Finding]:
    return question()
