"""Asks processes whether they are ready, each by the question that it answers: gRPC, or the edge's HTTP."""

import asyncio
import json
import re
from typing import Final

import grpc
import httpx

from services.console.domain.health import Health, Process, State
from services.console.settings import ConsoleSettings
from services.kernel.readiness import Readiness, Unready
from services.runtime.grpc.readiness_client import ask_readiness
from services.runtime.grpc.server import channel

EDGE: Final = "edge"
_ASK_SECONDS: Final = 3.0
_MOST_BYTES: Final = 4096
_MICROSECONDS: Final = 1_000_000
_REASON: Final = re.compile(r"[a-z_]{1,40}")


class AskedProcesses:
    """The edge and the processes of the settings; close it when nobody asks any more."""

    def __init__(self, settings: ConsoleSettings, client: httpx.AsyncClient) -> None:
        self._client = client
        self._extensions = settings.edge.extensions
        self._channels = {name: channel(target) for name, target in settings.processes.items()}

    async def health(self) -> Health:
        """Returns what each says within seconds."""
        asked = [self._ask(name, connection) for name, connection in self._channels.items()]
        return Health(tuple(await asyncio.gather(self._ask_edge(), *asked)))

    async def close(self) -> None:
        """Closes the connections."""
        await asyncio.gather(*(connection.close() for connection in self._channels.values()))

    async def _ask_edge(self) -> Process:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                answer = await self._client.get("/readyz", extensions=self._extensions)
        except (httpx.HTTPError, TimeoutError):
            return Process(EDGE, State.SILENT)
        if answer.is_success:
            return Process(EDGE, State.READY)
        return Process(EDGE, State.UNREADY, _told(answer.content[:_MOST_BYTES]))

    async def _ask(self, name: str, connection: grpc.aio.Channel) -> Process:
        try:
            said = await ask_readiness(connection, timeout_seconds=_ASK_SECONDS)
        except grpc.aio.AioRpcError:
            return Process(name, State.SILENT)
        since_seconds = said.since_microseconds / _MICROSECONDS
        if said.is_ready:
            return Process(name, State.READY, since_seconds=since_seconds)
        return Process(name, State.UNREADY, _sentence(said), since_seconds)


def _told(content: bytes) -> str:
    """Returns the reason in the edge's answer, such as no_replica; empty where it gives none."""
    try:
        reason = json.loads(content).get("reason")
    except (ValueError, AttributeError):
        return ""
    return reason.replace("_", " ") if isinstance(reason, str) and _REASON.fullmatch(reason) else ""


def _sentence(said: Readiness) -> str:
    if said.reason is Unready.UNSPECIFIED:
        return ""
    numbers = ", ".join(f"{name.name.lower()} {value}" for name, value in sorted(said.figures.items()))
    reason = said.reason.name.lower()
    return f"{reason} ({numbers})".replace("_", " ") if numbers else reason.replace("_", " ")
