"""The step before the local broker's first start: its jars, fetched once and shown while they come."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.local.kafka.jars import are_present, committed_lock
from deploy.local.kafka.settings import SECTION, LocalKafkaSettings
from deploy.local.stack.errors import StackError
from deploy.local.stack.plan import is_sentence
from services.runtime.settings import SettingsError, load_settings


async def fetch_jars(
    config: Path, environment: Mapping[str, str], on_progress: Callable[[str], None]
) -> None:
    """Fetches what is missing and says how far it is; StackError with the broker's own sentence."""
    if _are_there(config, environment):
        on_progress("done")
        return
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.local.kafka.fetching", "--config", str(config)),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        env=dict(environment),
    )
    try:
        _, complaints = await asyncio.gather(_follow(process.stdout, on_progress), _read_all(process.stderr))
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if await process.wait() != 0:
        sentences = [line for line in complaints.splitlines() if is_sentence(line)]
        raise StackError(sentences[-1] if sentences else "The broker's jars could not be fetched.")


def _are_there(config: Path, environment: Mapping[str, str]) -> bool:
    """Returns whether nothing is missing: a process that looks takes half a second to start."""
    try:
        settings = load_settings(LocalKafkaSettings, section=SECTION, path=config, environ=environment)
    except SettingsError:
        # The broker's process says it in its own words.
        return False
    return are_present(committed_lock(), settings.cache_folder)


async def _follow(lines: asyncio.StreamReader | None, on_progress: Callable[[str], None]) -> None:
    while lines is not None and (line := await lines.readline()):
        report = json.loads(line)
        done_mebibytes = report["bytes_done"] / 2**20
        total_mebibytes = report["bytes_total"] / 2**20
        done, total = report["jars_done"], report["jars_total"]
        is_done = done == total
        far = f"{done} of {total}, {done_mebibytes:.0f} of {total_mebibytes:.0f} MiB"
        on_progress("done" if is_done else far)


async def _read_all(lines: asyncio.StreamReader | None) -> str:
    return "" if lines is None else (await lines.read()).decode("utf-8", "replace")
