"""The runbook of a failover, read from its page and executed on three regions of real processes."""

import asyncio
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from comptoir.usage.v1 import usage_pb2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from services.contract.events import Kind
from services.emitter.adapters.spool.store import SpoolStore
from services.kernel.clock import SystemClock
from tests.contracts.spool import spool_file
from tests.system.serving_processes import MODEL, ServingProcesses

pytestmark = [pytest.mark.system, pytest.mark.timeout(480)]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "failover.md"
STEP = re.compile(r"^## Step (\d): .*?^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
CHAT: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour"}], "max_tokens": 4}
NAMES = {"fr": "eu-fr", "de": "eu-de", "us": "us-east"}
COUNTRIES = {"fr": "FR", "de": "DE", "us": "US"}


class RegionProcesses(ServingProcesses):
    """The processes of one region, whose shared settings are in a file that the page's commands edit."""

    def __init__(self, folder: Path, shared: Path, pepper: bytes, database: Path) -> None:
        folder.mkdir()
        super().__init__(folder, router={"database_file": str(database)})
        self._shared = shared
        (folder / "pepper.hex").write_text(pepper.hex())

    def _document(self, name: str) -> dict[str, Any]:
        own: dict[str, Any] = yaml.safe_load(self._shared.read_text())
        return super()._document(name) | own

    async def roll(self) -> None:
        """Restarts the router, then the edge."""
        for name in ("router", "edge"):
            self.signal(name, signal.SIGTERM)
            await asyncio.to_thread(self._processes.pop(name).wait, 30)
            self.launch(name)
        await self._until_serving("router")


class World:
    """Three regions beside each other, and what a person at their terminal has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("ada", "bea"):
            key = Ed25519PrivateKey.generate()
            private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (folder / f"{name}.key").write_bytes(private)
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            (folder / f"{name}.pub").write_bytes(public)
        (folder / "assessment.pdf").write_bytes(b"assessed")
        (folder / "transfers").mkdir()
        pepper = secrets.token_bytes(32)
        self.regions = {
            name: RegionProcesses(folder / name, folder / f"{name}.yaml", pepper, folder / "keys.sqlite")
            for name in NAMES
        }
        for name in NAMES:
            (folder / f"{name}.yaml").write_text(self._settings(name))

    def _settings(self, here: str) -> str:
        lines = [
            f"    - {{number: {number}, name: {NAMES[name]}, country: {COUNTRIES[name]}, "
            f"is_eu: {str(name != 'us').lower()}, base_url: {self.regions[name].base_url}/v1, "
            f'answered_by: ""}}'
            for number, name in enumerate(NAMES, 1)
        ]
        models = f"  models: [{{number: 1, name: {MODEL}, context_tokens: 1024, max_output_tokens: 1024}}]"
        transfers = (
            f"transfers:\n  folder: {self.folder}/transfers\n"
            f"  requester_key_files: {{ada: {self.folder}/ada.pub}}\n"
            f"  approver_key_files: {{bea: {self.folder}/bea.pub}}\n"
        )
        return "\n".join([f"region: {NAMES[here]}", "catalog:", "  regions:", *lines, models, transfers])

    async def step(self, number: int) -> None:
        """Executes the commands of one step of the page, in their order."""
        for line in dict(STEP.findall(PAGE.read_text()))[str(number)].splitlines():
            if line.startswith("roll "):
                await self.regions[line.removeprefix("roll ")].roll()
            else:
                await asyncio.to_thread(self._shell, line)

    def _shell(self, line: str) -> None:
        environ = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
        subprocess.run(["/bin/bash", "-ec", line], cwd=self.folder, env=environ, check=True, timeout=60)

    def records_of(self, region: str) -> set[int]:
        """The transfer records in a region's events, from the spool of its stopped emitter."""
        folder = self.folder / region / "spool"
        store = SpoolStore(spool_file(folder, spool_max_bytes=10**9, spool_max_age_seconds=10**6))
        now = SystemClock().wall_microseconds()
        with store.transaction():
            admissions = store.frames(Kind.ADMISSION, 1000, now, is_draining=True)
            generations = store.frames(Kind.GENERATION, 1000, now, is_draining=True)
        store.close()
        admitted = [
            event.transfer_record
            for frame in admissions
            for event in usage_pb2.AdmissionFrame.FromString(frame.body).events
            if event.decision == usage_pb2.DECISION_ADMITTED
        ]
        generated = [
            event.transfer_record
            for frame in generations
            for event in usage_pb2.GenerationFrame.FromString(frame.body).events
        ]
        assert admitted
        assert generated
        return {*admitted, *generated}

    async def answer(self, region: str, key: str, status: int) -> httpx.Response:
        """The answer of a region to a chat, once it has the status; the last one where it never does."""
        headers = {"authorization": f"Bearer {key}"}
        url = f"{self.regions[region].base_url}/v1/chat/completions"
        async with httpx.AsyncClient(headers=headers, timeout=30) as client, asyncio.timeout(60):
            while True:
                try:
                    found = await client.post(url, json=CHAT)
                    if found.status_code == status:
                        return found
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.2)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    try:
        # One after the other: the first makes the tables.
        for region in world.regions.values():
            await region.start()
        yield world
    finally:
        for region in world.regions.values():
            await region.stop()


async def test_the_runbook_moves_france_and_brings_it_back(world: World) -> None:
    key = await world.regions["fr"].key("acme")
    assert key.startswith("cptr_eu-fr_")
    await world.answer("fr", key, 200)
    refused = await world.answer("de", key, 421)
    assert refused.json()["error"]["message"].endswith(f"{world.regions['fr'].base_url}/v1")

    await world.step(1)
    await world.answer("de", key, 200)
    refused = await world.answer("fr", key, 421)
    assert refused.json()["error"]["message"].endswith(f"{world.regions['de'].base_url}/v1")

    await world.step(2)
    assert (await world.answer("us", key, 403)).json()["error"]["code"] == "region_not_allowed"
    await world.answer("de", key, 421)

    await world.step(3)
    await world.answer("us", key, 200)

    await world.step(4)
    await world.answer("us", key, 403)

    await world.step(5)
    await world.answer("fr", key, 200)
    await world.answer("us", key, 421)

    for region in world.regions.values():
        await region.stop()
    assert world.records_of("us") == {1}
    assert world.records_of("de") == world.records_of("fr") == {0}
