"""Asks a process itself whether it is ready, over gRPC or HTTP, with the certificate that it has itself."""

import json
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import grpc
import httpx

from services.cli.adapters.doctor.network import SECONDS, context_of
from services.cli.doctor.facts import Certificate, Said, SeenClock
from services.cli.doctor.places import Place, Tls
from services.kernel.clock import Clock
from services.kernel.readiness import Unready
from services.runtime.addresses import WITHOUT_PROXY
from services.runtime.grpc.readiness_client import ask_readiness

_REASON: Final = re.compile(r"[a-z_]{1,40}")
_MOST_BYTES: Final = 4096
_MICROSECONDS: Final = 1_000_000


async def ask_over_grpc(place: Place, shown: Certificate | None) -> Said:
    """Returns what the process says at one of its own addresses; `shown` is what it showed there over TLS."""
    options: list[tuple[str, str | int]] = [WITHOUT_PROXY]
    names = [] if shown is None else [name for name in shown.names if "://" not in name]
    if names:
        # It is reached by an address of this machine, which its certificate need not name.
        options.append(("grpc.ssl_target_name_override", names[0].replace("*", "any")))
    async with _channel(place, options) as channel:
        try:
            state = await ask_readiness(channel, timeout_seconds=SECONDS)
        except grpc.aio.AioRpcError:
            return Said(place, is_silent=True)
    if state.is_ready:
        return Said(place)
    reason = "starting" if state.reason is Unready.UNSPECIFIED else state.reason.name.lower()
    numbers = ", ".join(f"{name.name.lower()} {value}" for name, value in sorted(state.figures.items()))
    return Said(place, reason, numbers)


async def ask_over_http(place: Place, clock: Clock) -> tuple[Said, SeenClock | None]:
    """Returns what an edge says at its own address, and its clock, which HTTP knows to a second."""
    verify = False if place.tls is None else context_of(place.tls, is_own=True)
    scheme = "http" if place.tls is None else "https"
    started = clock.wall_microseconds()
    try:
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=False, verify=verify) as client:
            answer = await client.get(f"{scheme}://{place.address}/readyz")
    except (httpx.HTTPError, OSError):
        return Said(place, is_silent=True), None
    ended = clock.wall_microseconds()
    return Said(place, "" if answer.is_success else _reason(answer)), _clock(place, answer, started, ended)


def _reason(answer: httpx.Response) -> str:
    try:
        content = json.loads(answer.content[:_MOST_BYTES])
    except ValueError:
        content = None
    reason = content.get("reason") if isinstance(content, dict) else None
    is_ours = isinstance(reason, str) and _REASON.fullmatch(reason)
    return str(reason) if is_ours else f"status_{answer.status_code}"


def _clock(place: Place, answer: httpx.Response, started: int, ended: int) -> SeenClock | None:
    try:
        told = parsedate_to_datetime(answer.headers["date"]).astimezone(UTC).timestamp()
    except (KeyError, ValueError, TypeError):
        return None
    # The header has whole seconds: the moment lies within the one behind it.
    middle = told + 0.5
    took_seconds = (ended - started) / _MICROSECONDS
    return SeenClock(place.key, middle - (started + ended) / 2 / _MICROSECONDS, 0.5 + took_seconds / 2)


def _channel(place: Place, options: list[tuple[str, str | int]]) -> grpc.aio.Channel:
    if place.tls is None:
        return grpc.aio.insecure_channel(place.address, options=options)
    return grpc.aio.secure_channel(place.address, _credentials(place.tls), options=options)


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        Path(tls.ca_file).read_bytes() if tls.ca_file else None,
        Path(tls.private_key_file).read_bytes() if tls.private_key_file else None,
        Path(tls.certificate_file).read_bytes() if tls.certificate_file else None,
    )
