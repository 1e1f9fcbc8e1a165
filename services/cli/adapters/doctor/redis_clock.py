"""What time it is at the Redis or Valkey that keeps leases: they end by its clock."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.cli.adapters.doctor.network import SECONDS
from services.cli.doctor.facts import SeenClock
from services.kernel.clock import Clock
from services.runtime.addresses import split_address

_MICROSECONDS: Final = 1_000_000


async def redis_clock(key: str, settings: Mapping[str, Any], clock: Clock) -> SeenClock | None:
    """Returns the server's clock beside this machine's; None where it does not answer this user."""
    try:
        client = _client(settings)
    except (OSError, ValueError):
        return None
    try:
        # The first question pays for the connection.
        await client.time()
        before = clock.wall_microseconds()
        seconds, microseconds = await client.time()
        after = clock.wall_microseconds()
    except (RedisError, OSError):
        return None
    finally:
        await client.aclose()
    ahead = seconds * _MICROSECONDS + microseconds - (before + after) / 2
    return SeenClock(key, ahead / _MICROSECONDS, (after - before) / 2 / _MICROSECONDS)


def _client(settings: Mapping[str, Any]) -> Redis:
    file, tls = settings.get("password_file"), settings.get("tls") or {}
    address = str(settings["address"])
    where: dict[str, Any] = {
        "username": settings.get("user") or None,
        "password": Path(str(file)).read_text(encoding="utf-8").strip() if file else None,
        "socket_timeout": SECONDS,
        "socket_connect_timeout": SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    if address.startswith("unix:"):
        return Redis(unix_socket_path=address.removeprefix("unix:"), **where)
    host, port = split_address(address)
    if tls:
        where |= {
            "ssl": True,
            "ssl_ca_certs": str(tls["ca_file"]),
            "ssl_certfile": str(tls["certificate_file"]),
            "ssl_keyfile": str(tls["private_key_file"]),
        }
    return Redis(host=host, port=port, **where)
