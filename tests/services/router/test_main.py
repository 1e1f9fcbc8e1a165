"""`python -m services.router`: checks settings, serves, and leaves with 0 when it is told to."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
import yaml

from services.router.settings import RouterSettings
from services.runtime.addresses import GrpcTarget
from services.runtime.grpc.server import channel
from services.runtime.settings import SHARED_KEYS

# A start reads all that a router imports: seconds, and on a busy machine many.
WAIT_SECONDS = 90.0


@pytest.fixture
def config_file(router_settings: RouterSettings, tmp_path: Path) -> Path:
    document = router_settings.model_dump(mode="json")
    shared = {name: document.pop(name) for name in SHARED_KEYS}
    file = tmp_path / "comptoir.yaml"
    file.write_text(yaml.safe_dump({**shared, "router": document}))
    return file


async def start(*arguments: str) -> Process:
    command = (sys.executable, "-m", "services.router", *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)


async def outcome(process: Process) -> tuple[int | None, str, str]:
    out, err = await asyncio.wait_for(process.communicate(), WAIT_SECONDS)
    return process.returncode, out.decode(), err.decode()


async def test_usable_settings_are_said_to_be_usable(config_file: Path) -> None:
    code, out, _ = await outcome(await start("--config", str(config_file), "--check"))
    assert (code, out) == (0, "comptoir router: the settings are usable.\n")


async def test_a_missing_secret_is_one_sentence(config_file: Path, tmp_path: Path) -> None:
    (tmp_path / "pepper").unlink()
    code, _, err = await outcome(await start("--config", str(config_file)))
    expected = "comptoir router: the secret file pepper cannot be read as hexadecimal digits.\n"
    assert (code, err) == (2, expected)


async def test_it_serves_until_it_is_told_to_stop(config_file: Path, router_settings: RouterSettings) -> None:
    process = await start("--config", str(config_file))
    async with channel(GrpcTarget(address=router_settings.listen.address)) as open_channel:
        await asyncio.wait_for(open_channel.channel_ready(), WAIT_SECONDS)
    process.send_signal(signal.SIGTERM)
    code, _, err = await outcome(process)
    assert code == 0
    assert "Traceback" not in err
