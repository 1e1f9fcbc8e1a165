"""Asks a process by its metrics which version it is, with the certificate that it has itself."""

import asyncio
import re
from typing import Final

import httpx

from services.cli.adapters.doctor.network import SECONDS, context_of
from services.cli.doctor.facts import SeenBuild
from services.cli.doctor.places import Place

_BUILD: Final = re.compile(r"^comptoir_build_info\{([^}\n]{1,400})\} ", re.MULTILINE)
_LABEL: Final = re.compile(r'(process|version)="([\w.+-]{1,40})"')
# A process of the largest stack shows a tenth of it.
_MOST_BYTES: Final = 16 * 1024 * 1024


async def ask_build(place: Place) -> SeenBuild | None:
    """Returns what a process says at its `metrics_listen`; None where it says nothing."""
    scheme = "http" if place.tls is None else "https"
    try:
        verify = False if place.tls is None else context_of(place.tls, is_own=True)
        # The client's own time is for each read: an answer that trickles would never end.
        async with (
            asyncio.timeout(SECONDS),
            httpx.AsyncClient(timeout=SECONDS, trust_env=False, verify=verify) as client,
            client.stream("GET", f"{scheme}://{place.address}/metrics") as answer,
        ):
            text = await _read(answer)
    except (httpx.HTTPError, OSError, TimeoutError):
        return None
    found = _BUILD.search(text)
    labels = dict(_LABEL.findall(found[1])) if found is not None else {}
    if labels.keys() < {"process", "version"}:
        return None
    return SeenBuild(place.key, labels["process"], labels["version"])


async def _read(answer: httpx.Response) -> str:
    """Returns the beginning of an answer, or nothing of one that is none of metrics."""
    read = b""
    if answer.is_success:
        async for part in answer.aiter_bytes():
            read += part
            if len(read) > _MOST_BYTES:
                break
    return read.decode(errors="replace")
