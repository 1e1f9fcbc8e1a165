"""The side of a load process that listens: orders come in as lines of JSON, and what is said goes out so."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any


def say(what: str, **more: Any) -> None:
    """Tells the process that gave the order."""
    print(json.dumps({"said": what, **more}), flush=True)


async def orders() -> AsyncIterator[dict[str, Any]]:
    """Yields orders until the other side ends; the loop goes on meanwhile."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        yield json.loads(line)
