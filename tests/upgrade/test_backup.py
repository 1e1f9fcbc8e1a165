"""docs/backup.md as it stands: a copy under load, the loss of everything, the restore, and what it costs."""

import asyncio
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from comptoir.router.v1 import admin_pb2

from services.router.domain.spending import SubjectKind
from services.runtime.settings import environment
from tests.cluster.chart import REPOSITORY
from tests.debian_programs import program
from tests.postgres import PASSWORD, Database
from tests.system.asking import Failure, WholeAnswer, ask
from tests.system.serving_processes import MODEL
from tests.upgrade.load import load, served, tokens
from tests.upgrade.released_region import ReleasedRegion, released_region

pytestmark = [pytest.mark.system, pytest.mark.alone, pytest.mark.timeout(600)]

PAGE: Final = REPOSITORY / "docs" / "backup.md"
BLOCK: Final = re.compile(r"^```sh (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TENANT: Final = "acme"
SECONDS: Final = 120.0
# By the page's name of a secret, that of the region.
SECRETS: Final = {"pepper": "pepper", "signing-key": "seed", "ticket-1.pub": "ticket"}
PLACES: Final = 3
WRONG: Final = "invalid_api_key"


class Operator:
    """Who follows the page, in a folder of their own."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        places = [str(program("age").parent), str(Path(sys.executable).parent)]
        self._variables = {**environment(), "HOME": str(folder), **variables}
        path = [*places, variables.get("PROGRAMS", ""), environment()["PATH"]]
        self._variables["PATH"] = os.pathsep.join(filter(None, path))

    def follow(self, *names: str) -> str:
        """Runs the blocks of these names, in the page's order."""
        found = [text for name, text in BLOCK.findall(PAGE.read_text()) if name in names]
        assert found
        return self.run("\n".join(found))

    def run(self, commands: str) -> str:
        """Runs commands as a shell of theirs would."""
        done = subprocess.run(
            ("bash", "-euo", "pipefail", "-c", commands),  # noqa: S607 - as a reader's
            cwd=self.folder,
            env=self._variables,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


def operator_of(region: ReleasedRegion, folder: Path) -> Operator:
    secrets = folder / "comptoir-secrets"
    secrets.mkdir(parents=True)
    for name, own in SECRETS.items():
        shutil.copy(region.secret(own), secrets / name)
    database = region.database
    return Operator(
        folder,
        PROGRAMS=str(database.programs),
        PGHOST=str(database.socket_folder),
        PGUSER="comptoir",
        PGDATABASE=database.name,
        PGPASSWORD=PASSWORD,
        SINCE="60m",
        CLICKHOUSE_URL=region.store_url,
        COMPTOIR_ADMIN=region.admin_target(),
    )


class Keys:
    """What operators do with keys, over the router's own service."""

    def __init__(self, region: ReleasedRegion) -> None:
        self._admin = region.admin

    async def create(self, **quota: int) -> tuple[int, str]:
        request = admin_pb2.CreateKeyRequest(tenant=TENANT, quota=admin_pb2.Quota(**quota))
        made = await self._admin.CreateKey(request, timeout=30, wait_for_ready=True)
        return made.key.number, made.api_key

    async def revoke(self, number: int) -> None:
        await self._admin.RevokeKey(
            admin_pb2.RevokeKeyRequest(number=number), timeout=30, wait_for_ready=True
        )

    async def delete(self, number: int) -> None:
        await self._admin.DeleteKey(
            admin_pb2.DeleteKeyRequest(number=number), timeout=30, wait_for_ready=True
        )

    async def are_revoked(self) -> dict[int, bool]:
        keys = await self._admin.ListKeys(admin_pb2.ListKeysRequest(), timeout=30, wait_for_ready=True)
        return {key.number: bool(key.revoked_at_seconds) for key in keys.keys}


async def outcomes(region: ReleasedRegion, api_keys: Iterable[str]) -> list[str]:
    """What each key gets, all asked at once."""
    client = region.client()
    asked = [ask(client.with_options(api_key=key), MODEL, output_tokens=25) for key in api_keys]
    return [one.code if isinstance(one, Failure) else "" for one in await asyncio.gather(*asked)]


async def restore(region: ReleasedRegion, operator: Operator) -> None:
    """Follows the page up to the routers' start, with the secrets that came back."""
    shutil.rmtree(operator.folder / "restored-secrets", ignore_errors=True)
    await asyncio.to_thread(operator.follow, "restore")
    for name, own in SECRETS.items():
        restored = operator.folder / "restored-secrets" / name
        assert restored.stat().st_mode & 0o077 == 0
        shutil.copy(restored, region.secret(own))
    for name in region.routers:
        await region.bring_back(name)


@dataclass(frozen=True)
class Before:
    """What there was when everything was lost."""

    kept: str
    leaked: tuple[int, str]
    deleted: int
    narrow: str
    lost: tuple[int, str]
    used_tokens: int
    of_each_answer: int


async def backed_up(region: ReleasedRegion, operator: Operator, kept: str) -> Before:
    """A backup under load; then a key is revoked, and one is made."""
    keys = Keys(region)
    leaked, (_, narrow) = await keys.create(), await keys.create(concurrency=PLACES)
    deleted, _ = await keys.create()
    async with load(region) as seen:
        await served(seen)
        await until_on_record(region.database)
        await asyncio.to_thread(operator.follow, "once", "backup")
        await served(seen)
    await keys.revoke(leaked[0])
    await keys.revoke(deleted)
    await keys.delete(deleted)
    lost = await keys.create()
    await until_recorded(region, "act = 'create_key'", 5)
    await until_recorded(region, "act IN ('revoke_key', 'delete_key')", 3)
    return Before(kept, leaked, deleted, narrow, lost, tokens(seen), tokens(seen) // len(seen))


async def lose_the_database(region: ReleasedRegion, operator: Operator, before: Before) -> None:
    """And its secret, while an answer is on its way: that ends well, and nothing is lent again."""
    began, keys = asyncio.Event(), Keys(region)
    running = asyncio.create_task(ask(region.client(), MODEL, output_tokens=25, text_began=began.set))
    await began.wait()
    region.lose_stores(with_leases=False)
    region.secret("pepper").unlink()
    await restore(region, operator)
    assert isinstance(await running, WholeAnswer)
    number, leaked = before.leaked
    assert await outcomes(region, [before.kept, leaked, before.lost[1]]) == ["", "", WRONG]
    said = await asyncio.to_thread(operator.follow, "again")
    assert f"comptoir keys revoke {number}\n" in said
    assert f"key {before.lost[0]} was created" in said
    assert (await keys.are_revoked())[number]
    assert before.deleted not in await keys.are_revoked()
    # Somebody does not know whether it came to its end.
    await asyncio.to_thread(operator.run, "bash -e again.sh")
    assert (await keys.are_revoked())[number]
    assert await outcomes(region, [before.kept, leaked]) == ["", WRONG]
    assert (await keys.create())[0] > before.lost[0] + 1000
    await until_spent(region, before.used_tokens + 4 * before.of_each_answer)


async def lose_all_stores(region: ReleasedRegion, operator: Operator, before: Before) -> None:
    """What was used since the backup may be used again, and no more; places are free."""
    region.lose_stores(with_leases=True)
    await restore(region, operator)
    on_record, before_tokens = (
        await region.spent_tokens(TENANT),
        await asyncio.to_thread(region.generated_tokens),
    )
    assert 0 < on_record < before_tokens
    assert await outcomes(region, [before.narrow] * PLACES) == [""] * PLACES
    expected = before_tokens + PLACES * before.of_each_answer
    await until_spent(region, expected, unknown_tokens=before_tokens - on_record)


async def test_keys_come_back_as_the_page_says_and_nothing_is_lent_twice_that_it_does_not_name(
    tmp_path: Path,
) -> None:
    (folder := tmp_path / "region").mkdir()
    async with released_region(folder, None, of_each=1) as region:
        kept = await region.key(TENANT)
        await region.add_edges(kept)
        operator = await asyncio.to_thread(operator_of, region, tmp_path / "operator")
        before = await backed_up(region, operator, kept)
        await lose_the_database(region, operator, before)
        await lose_all_stores(region, operator, before)


async def until_recorded(region: ReleasedRegion, which: str, count: int) -> None:
    query = f"SELECT count() AS found FROM comptoir.admin_acts WHERE stage = 'done' AND {which}"  # noqa: S608
    async with asyncio.timeout(SECONDS):
        while (await asyncio.to_thread(region.rows, query))[0]["found"] < count:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def until_on_record(database: Database) -> None:
    """What is spent is written some seconds later: a backup before that rightly has none of it."""
    query = "SELECT count(*) FROM spending WHERE kind = %s AND tokens > 0"
    with database.connect() as connection:
        async with asyncio.timeout(SECONDS):
            while connection.execute(query, (int(SubjectKind.TENANT),)).fetchone() == (0,):  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def until_spent(region: ReleasedRegion, expected: int, *, unknown_tokens: int = 0) -> None:
    """Settlements come a moment after their answers, each charged as often as it was generated.

    That is once, unless an edge lost a router that stood still; `unknown_tokens` are on record no more.
    """
    found = (-1, -1)
    async with asyncio.timeout(SECONDS):
        while found[0] < expected or found[0] - unknown_tokens != found[1]:
            await asyncio.sleep(0.1)
            found = await asyncio.to_thread(region.generated_tokens), await region.spent_tokens(TENANT)
    assert found[0] == expected or region.has_asked_again


def test_a_file_of_keys_is_copied_while_its_router_writes(tmp_path: Path) -> None:
    file = tmp_path / "router.sqlite"
    operator = Operator(tmp_path, DATABASE_FILE=str(file))
    with sqlite3.connect(file) as router:
        router.execute("PRAGMA journal_mode = WAL")
        router.execute("CREATE TABLE keys (number INTEGER PRIMARY KEY)")
        router.execute("INSERT INTO keys VALUES (7)")
        router.commit()
        router.execute("INSERT INTO keys VALUES (8)")
        operator.follow("once", "file")
        router.rollback()
    router.close()
    assert not (tmp_path / "keys.sqlite").exists()
    restored = tmp_path / "restored.sqlite"
    command = [str(program("age")), "--decrypt", "--identity", "backup-identity", "--output", restored.name]
    subprocess.run([*command, "keys.sqlite.age"], cwd=tmp_path, check=True)
    with sqlite3.connect(restored) as copy:
        assert copy.execute("SELECT number FROM keys").fetchall() == [(7,)]
    copy.close()
