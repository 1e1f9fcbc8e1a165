"""Whether schema, retention and region are what the settings say; pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from services.cli.doctor.facts import SeenStore
from services.cli.doctor.finding import Finding, fail, ok, warn
from services.contract.transfer import TransferRecord
from services.kernel.catalog import Catalog, Region

VERSIONS: Final = "versions"
RETENTION: Final = "retention"
REGION: Final = "region"
_DAY_SECONDS: Final = 86_400
_DAY_MILLISECONDS: Final = 1000 * _DAY_SECONDS
_ENDS_SOON_SECONDS: Final = 30 * _DAY_SECONDS
_FROM_HERE: Final = "usage.clickhouse"


def of_versions(installed: Mapping[str, str]) -> Finding:
    """Returns the finding about the distributions, which are released together."""
    own, stubs = installed.get("comptoir", ""), installed.get("comptoir-client", "")
    if own != stubs:
        step = f"install both from one release: pip install comptoir=={own} comptoir-client=={own}"
        return fail(VERSIONS, "comptoir", f"comptoir is {own} and comptoir-client {stubs or 'absent'}.", step)
    rest = ", ".join(f"{name} {version}" for name, version in installed.items() if name != "comptoir-client")
    return ok(VERSIONS, "comptoir", f"{rest}.")


def of_schema(seen: SeenStore, newest: int) -> Finding:
    """Returns the finding about the store's schema, beside the migrations that are installed here."""
    found = seen.schema_version
    if found is None:
        step = "start the usage pipeline, which makes them"
        return fail(VERSIONS, _FROM_HERE, "The store has no tables of Comptoir yet.", step)
    if found < newest:
        step = "start the usage pipeline of this version first: it migrates"
        return fail(
            VERSIONS, _FROM_HERE, f"The store's schema is {found}, and this version's {newest}.", step
        )
    if found > newest:
        step = f"update Comptoir here: something newer has migrated the store to {found}"
        return warn(
            VERSIONS, _FROM_HERE, f"The store's schema is {found}, and this version's {newest}.", step
        )
    return ok(VERSIONS, _FROM_HERE, f"The store's schema is {found}, as is this version's.")


def of_key_tables(key: str, revision: str | None, newest: str) -> Finding:
    """Returns the finding about the tables of tenants and keys, beside the revisions that are known here."""
    if revision is None:
        step = "start a router, which makes them"
        return fail(VERSIONS, key, "The database has no tables of Comptoir yet.", step)
    sentence = f"The tables of keys are of revision {revision}, and this version's {newest}."
    if revision < newest:
        step = "start the routers of this version: the first one migrates, and earlier ones start no more"
        return fail(VERSIONS, key, sentence, step)
    if revision > newest:
        step = "update Comptoir here to the version that migrated them: routers of this one do not start"
        return fail(VERSIONS, key, sentence, step)
    return ok(VERSIONS, key, f"The tables of keys are of revision {revision}, as is this version.")


def of_retention(seen: SeenStore, retention_days: int) -> Finding:
    """Returns the finding about how long the store keeps events."""
    if seen.retention_days is None:
        step = "start the usage pipeline, which sets it on every table"
        return warn(RETENTION, "usage.retention_days", "The store has no retention yet.", step)
    if seen.retention_days != retention_days:
        step = "restart the usage pipeline, which sets it on every table at its start"
        sentence = f"The store keeps {seen.retention_days} days, and the settings say {retention_days}."
        return fail(RETENTION, "usage.retention_days", sentence, step)
    return ok(
        RETENTION, "usage.retention_days", f"The store keeps {retention_days} days, as the settings say."
    )


def of_topics(retention_milliseconds: Mapping[str, int], retention_days: int) -> Finding:
    """Returns the finding about Kafka's topics: records may not outlive the store's rows, in days."""
    allowed = retention_days * _DAY_MILLISECONDS
    # Kafka keeps for ever what has a negative time.
    longer = {name: kept for name, kept in retention_milliseconds.items() if kept < 0 or kept > allowed}
    if longer:
        name, kept = min(longer.items(), key=lambda one: one[1])
        time = "for ever" if kept < 0 else f"for {kept / _DAY_MILLISECONDS:.1f} days"
        sentence = f"Kafka keeps {name} {time}, and the store {retention_days} days ({len(longer)} topics)."
        step = "`comptoir kafka apply` sets the time that is declared"
        return fail(RETENTION, "kafka", sentence, step)
    if not retention_milliseconds:
        step = "`comptoir kafka apply` makes the topics"
        return warn(RETENTION, "kafka", "Kafka has no topic of Comptoir yet.", step)
    most = max(retention_milliseconds.values()) / _DAY_MILLISECONDS
    return ok(
        RETENTION,
        "kafka",
        f"Kafka keeps {len(retention_milliseconds)} topics for {most:.1f} days at most, "
        f"the store {retention_days}.",
    )


def of_region(home: Region, records: Mapping[int, TransferRecord], now_seconds: float) -> Finding:
    """Returns the finding about where the processes run; `records` are those that two people signed."""
    if home.is_eu:
        return ok(REGION, home.name, "The region is in the European Union, and needs no transfer record.")
    in_force = {
        number: record
        for number, record in records.items()
        if record.region == home.name and record.is_in_force(now_seconds)
    }
    if not in_force:
        step = "`comptoir transfer request` and `approve`, by two people; without it nobody is served here"
        sentence = "The region is outside the European Union, and no transfer record is in force for it."
        return fail(REGION, home.name, sentence, step)
    number, record = max(in_force.items(), key=lambda one: one[1].until_seconds)
    days = (record.until_seconds - now_seconds) / _DAY_SECONDS
    homes = ", ".join(record.home_regions)
    sentence = f"Transfer record {number} lets it serve keys of {homes} for {days:.0f} more days."
    if record.until_seconds - now_seconds < _ENDS_SOON_SECONDS:
        return warn(REGION, home.name, sentence, "have the next record approved before that")
    return ok(REGION, home.name, sentence)


def of_key(key_region: str | None, home: Region, catalog: Catalog) -> Iterator[Finding]:
    """Yields the finding about the region that an API key names; the key itself stays where it is."""
    subject = "API key"
    if key_region is None:
        step = "look whether it was copied whole; `comptoir keys create` makes another one"
        yield fail(REGION, subject, "The API key is no key of Comptoir: its checksum is wrong.", step)
        return
    answering = catalog.answering(key_region)
    if answering is None or answering.number != home.number:
        where = answering.base_url if answering is not None else "none of the catalog's regions"
        sentence = f"The API key is of {key_region}, which {home.name} does not answer."
        yield fail(REGION, subject, sentence, f"use it at {where or 'its own region'}")
        return
    yield ok(REGION, subject, f"The API key is of {key_region}, which is answered here.")
