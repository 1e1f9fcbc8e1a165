"""Asks one process whether it is ready, and why not."""

import json
import re
from pathlib import Path
from typing import Final

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.stack.plan import Probe
from services.kernel.readiness import Readiness, Unready
from services.runtime.addresses import WITHOUT_PROXY
from services.runtime.grpc.readiness_client import ask_readiness

_ASK_SECONDS: Final = 2.0
_SPELL_SECONDS: Final = 1.0
_MOST_BYTES: Final = 4096
_REASON: Final = re.compile(r"[a-z_]{1,40}")
_SILENT: Final = "no answer to its probe"
_NOT_SERVING: Final = "it says that it does not serve"
_NO_FILE: Final = "not ready yet"


class Prober:
    """Asks one run of a process, on a connection that is kept for as long as it is answered.

    A new connection costs both sides many times what a question on an open one does.
    """

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._channel: grpc.aio.Channel | None = None
        self._client: httpx.AsyncClient | None = None

    async def why_not_ready(self) -> str:
        """Returns, within two seconds, why the process is not ready; empty if it is."""
        if self._probe.kind == "file":
            return "" if _exists(Path(self._probe.where)) else _NO_FILE
        if self._probe.kind == "http":
            return await self._why_not_over_http(self._probe.where)
        return await self._why_not_over_grpc(self._probe.where)

    async def close(self) -> None:
        """Closes the connection."""
        if self._client is not None:
            await self._client.aclose()
        if self._channel is not None:
            await self._channel.close()
        self._client = self._channel = None

    async def _why_not_over_http(self, url: str) -> str:
        if self._client is None:
            # Without TLS there is nothing to verify, and to load the authorities takes 20 ms of CPU.
            self._client = httpx.AsyncClient(timeout=_ASK_SECONDS, trust_env=False, verify=False)  # noqa: S501
        try:
            answer = await self._client.get(url)
        except httpx.TransportError:
            return _SILENT
        return "" if answer.is_success else _told(answer) or f"its probe answers {answer.status_code}"

    async def _why_not_over_grpc(self, address: str) -> str:
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(address, options=[WITHOUT_PROXY])
        stub = health_pb2_grpc.HealthStub(self._channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_ASK_SECONDS)
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return ""
            return sentence_of(await ask_readiness(self._channel, timeout_seconds=_ASK_SECONDS))
        except grpc.aio.AioRpcError:
            # A channel that could not connect waits longer and longer before it tries again.
            await self.close()
            return _SILENT


class Spell:
    """How long a process that was ready has not been: one missed probe on a busy machine is no news."""

    def __init__(self) -> None:
        self._since_seconds: float | None = None

    def lasts(self, now_seconds: float) -> bool:
        """Takes in a missed probe; True once they have gone on for a second."""
        if self._since_seconds is None:
            self._since_seconds = now_seconds
        return now_seconds - self._since_seconds >= _SPELL_SECONDS

    def end(self) -> None:
        """Notes that the process is ready again."""
        self._since_seconds = None


def _told(answer: httpx.Response) -> str:
    """Returns the reason in a probe's JSON answer, such as `no_replica`; empty where it gives none."""
    try:
        content = json.loads(answer.content[:_MOST_BYTES])
    except ValueError:
        return ""
    reason = content.get("reason") if isinstance(content, dict) else None
    return reason if isinstance(reason, str) and _REASON.fullmatch(reason) else ""


def sentence_of(state: Readiness) -> str:
    """Returns the reason of a process that is not ready, with its numbers; the same words without them."""
    if state.reason in {Unready.UNSPECIFIED, Unready.STARTING}:
        return _NOT_SERVING
    numbers = ", ".join(f"{name.name.lower()} {value}" for name, value in sorted(state.figures.items()))
    reason = state.reason.name.lower()
    return f"{reason} ({numbers})" if numbers else reason


def is_reason(why: str) -> bool:
    """Returns whether a process said it for itself: it runs, and knows what it waits for."""
    return why not in {"", _SILENT, _NOT_SERVING, _NO_FILE}


def _exists(path: Path) -> bool:
    return path.exists()
