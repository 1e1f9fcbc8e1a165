"""Asks each process by its own `--check` whether it can use its settings."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from services.cli.doctor.finding import Finding, fail, ok

_CHECK: Final = "configuration"
# A process only imports its settings and reads them; on a machine that is busy that may take a while.
_CHECK_SECONDS: Final = 120.0
MODULES: Final = {
    "edge": "services.edge",
    "router": "services.router",
    "generator": "services.generator",
    "emitter": "services.emitter",
    "usage": "pipelines.usage",
    "console": "services.console",
    "local_kafka": "deploy.local.kafka",
    "local_clickhouse": "deploy.local.clickhouse",
}


async def check_settings(name: str, section: str, file: Path, environment: Mapping[str, str]) -> Finding:
    """Returns what the process says; its sentence names keys and never values."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        MODULES[section],
        "--config",
        str(file),
        "--check",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**environment, "GRPC_VERBOSITY": "NONE"},
    )
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            _, errors = await process.communicate()
    except TimeoutError:
        step = "look at how busy this machine is, and ask again"
        return fail(_CHECK, name, f"It did not read its settings within {_CHECK_SECONDS:.0f} s.", step)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 0:
        return ok(_CHECK, name, "Its settings are usable.")
    return fail(_CHECK, name, _sentence(errors, section), "docs/settings.md has every key, with its bounds")


def _sentence(errors: bytes, section: str) -> str:
    lines = errors.decode("utf-8", "replace").splitlines()
    ours = [line for line in lines if line.startswith(f"comptoir {section}: ")]
    if ours:
        said = ours[-1].partition(": ")[2]
        return said[:1].upper() + said[1:]
    # Such as of an extra that is not installed: what Python says may hold anything.
    return "It cannot read its settings; is what it needs installed here?"
