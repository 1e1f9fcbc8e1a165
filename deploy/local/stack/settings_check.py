"""Asks every process whether it could use its settings, before any of them starts."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import StackOptions
from deploy.local.stack.plan import ProcessPlan, is_sentence
from services.runtime.settings import SHARED_KEYS, is_override

# A process only imports its settings and reads them; on a machine that is busy that may take a while.
_CHECK_SECONDS: Final = 120.0


def is_worth_checking(options: StackOptions, environment: Mapping[str, str]) -> bool:
    """Returns whether a person changed a setting; what the command line gives is usable by itself."""
    return bool(options.overrides) or any(is_override(name) for name in environment)


async def check_settings(
    plan: Sequence[ProcessPlan], options: StackOptions, environment: Mapping[str, str]
) -> None:
    """Raises StackError with every complaint of every process, which names the file that a person wrote."""
    said = await asyncio.gather(*(_complaint(entry, environment) for entry in plan))
    complaints = list(dict.fromkeys(_in_their_words(line, options) for line in said if line))
    if complaints:
        raise StackError("\n  ".join(complaints))


async def _complaint(entry: ProcessPlan, environment: Mapping[str, str]) -> str:
    """Returns what the process says against its settings; empty if it can use them."""
    process = await asyncio.create_subprocess_exec(
        *entry.arguments,
        "--check",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment),
    )
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            _, errors = await process.communicate()
    except TimeoutError:
        return f"{entry.title} did not read its settings within {_CHECK_SECONDS:.0f} s."
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 0:
        return ""
    lines = errors.decode("utf-8", "replace").splitlines()
    sentence = next((line for line in reversed(lines) if is_sentence(line)), "")
    return sentence.partition(": ")[2] or f"{entry.title} cannot read its settings."


def _in_their_words(complaint: str, options: StackOptions) -> str:
    """Names the file of `--config` in place of the generated one, and says of a shared key only once."""
    if not options.overrides_file:
        return complaint
    named = complaint.replace("comptoir.yaml", options.overrides_file, 1)
    head, section, problem = named.partition(", section ")
    key = problem.partition(": ")[2].partition(".")[0].partition(":")[0]
    return f"{head}: {problem.partition(': ')[2]}" if section and key in SHARED_KEYS else named
