import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.contracts.engine_requests import until
from tests.deploy.local.stack.children import is_gone
from tests.services.generator.adapters.reported import Router
from tests.services.generator.test_settings import OWN, SHARED

ROOT = Path(__file__).parents[3]


def configured(folder: Path, **changes: Any) -> Path:
    (folder / "ticket-1.pub").write_text(Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex())
    (folder / "salt").write_text(bytes(32).hex())
    section = {
        **OWN,
        "engine": "simulated",
        "listen": {"address": f"unix:{folder}/generator.sock"},
        "router": {"address": f"unix:{folder}/router.sock"},
        "emitter": {"address": f"unix:{folder}/emitter.sock"},
        "ticket_public_keys": {1: str(folder / "ticket-1.pub")},
        "cache_salt_secret_file": str(folder / "salt"),
        **changes,
    }
    path = folder / "comptoir.yaml"
    path.write_text(yaml.safe_dump({**SHARED, "generator": section}))
    return path


async def start(config: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.generator", "--config", str(config), *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode, (out + err).decode()


async def test_settings_are_checked_without_starting(tmp_path: Path) -> None:
    status, said = await ended(await start(configured(tmp_path), "--check"))
    assert (status, said) == (0, "comptoir generator: the settings are usable.\n")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"cache_salt_secret_file": "/nowhere/salt"}, "salt cannot be read"),
        ({"colour": "red"}, "colour"),
        ({"engine": "vllm", "model_path": "/nowhere"}, "no model folder /nowhere"),
    ],
)
async def test_settings_that_cannot_work_end_with_one_sentence(
    tmp_path: Path, changes: dict[str, Any], what: str
) -> None:
    status, said = await ended(await start(configured(tmp_path, **changes)))
    assert status == 2
    assert what in said
    assert said.count("\n") == 1


async def test_it_becomes_ready_once_the_router_knows_it_and_drains_on_sigterm(tmp_path: Path) -> None:
    router = Router(f"unix:{tmp_path}/router.sock")
    process = await start(configured(tmp_path))
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/generator.sock") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        response = await stub.Check(request, timeout=30, wait_for_ready=True)
        assert response.status == health_pb2.HealthCheckResponse.NOT_SERVING
        await router.start()
        async with asyncio.timeout(10):
            async for change in stub.Watch(request):
                if change.status == health_pb2.HealthCheckResponse.SERVING:
                    break
    process.send_signal(signal.SIGTERM)
    status, said = await ended(process)
    await router.stop()
    assert status == 0
    assert '"event": "draining"' in said


async def announced(folder: Path) -> tuple[Router, asyncio.subprocess.Process]:
    """A generator whose engine takes long to start, as soon as its router has heard of it."""
    router = Router(f"unix:{folder}/router.sock")
    await router.start()
    process = await start(configured(folder, simulated={"load_seconds": 3.0}, report_interval_seconds=0.2))
    await until(lambda: len(router.reports) >= 2, 60)
    return router, process


async def test_it_is_registered_without_a_load_until_its_engine_has_started(tmp_path: Path) -> None:
    router, process = await announced(tmp_path)
    await until(lambda: router.reports[-1].HasField("load"), 60)
    process.send_signal(signal.SIGTERM)
    status, said = await ended(process)
    await router.stop()
    assert (status, "error" in said) == (0, False)
    loads = [report.HasField("load") for report in router.reports]
    assert loads == sorted(loads)
    first, second = (report.registration for report in router.reports if report.HasField("registration"))
    assert not router.reports[0].HasField("load")
    assert (first.kv_blocks, second.kv_blocks > 0) == (0, True)
    assert first.incarnation == second.incarnation > 0
    assert (first.replica, first.address, first.model) == (second.replica, second.address, second.model)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_what_speaks_for_it_meanwhile_ends_with_it(tmp_path: Path, number: signal.Signals) -> None:
    router, process = await announced(tmp_path)
    (copy,) = psutil.Process(process.pid).children()
    process.send_signal(number)
    await ended(process)
    await until(lambda: is_gone(copy.pid), 30)
    await router.stop()
