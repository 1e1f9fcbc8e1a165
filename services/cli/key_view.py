"""Keys for people: a table of 80 columns that hides no limit."""

import time
from collections.abc import Iterable
from typing import Final

from comptoir.router.v1 import admin_pb2, router_pb2
from rich.console import Console
from rich.table import Table

from services.cli.administering import day, hour
from services.cli.limits import limits_of, unlimited_of

ENDPOINTS: Final = {
    "direct": router_pb2.ENDPOINT_DIRECT,
    "chat.completions": router_pb2.ENDPOINT_CHAT_COMPLETIONS,
    "completions": router_pb2.ENDPOINT_COMPLETIONS,
    "responses": router_pb2.ENDPOINT_RESPONSES,
    "embeddings": router_pb2.ENDPOINT_EMBEDDINGS,
    "counts": router_pb2.ENDPOINT_COUNTS,
}
_NAMES: Final = {number: name for name, number in ENDPOINTS.items()}


def key_table(keys: Iterable[admin_pb2.Key]) -> Table:
    """Returns a table with some lines for each key; what is too wide goes on in the next line."""
    table = Table(show_lines=True)
    table.add_column("key", no_wrap=True)
    table.add_column("tenant", overflow="fold", ratio=2)
    table.add_column("limits", no_wrap=True)
    table.add_column("for", overflow="fold", ratio=3)
    table.add_column("state", no_wrap=True)
    for key in keys:
        table.add_row(
            str(key.number),
            "\n".join(filter(None, (key.tenant_name, key.label))),
            "\n".join(limits_of(key.quota, key.currency)) or "no limit",
            "\n".join(scopes_of(key)),
            "\n".join(standing_of(key)),
        )
    return table


def scopes_of(key: admin_pb2.Key) -> list[str]:
    """Returns what a key may be used for: models, endpoints, regions, the best class."""
    scopes = [", ".join(key.models) or "all models"]
    if key.endpoints:
        scopes.append(", ".join(_NAMES.get(number, str(number)) for number in key.endpoints))
    if key.regions:
        scopes.append(", ".join(key.regions))
    return [*scopes, router_pb2.Priority.Name(key.best_priority).removeprefix("PRIORITY_").lower()]


def standing_of(key: admin_pb2.Key, now_seconds: float | None = None) -> list[str]:
    """Returns whether a key is taken, until when, and when it was used last."""
    now_seconds = time.time() if now_seconds is None else now_seconds  # noqa: TID251 - a person's clock
    lines = [_state(key, now_seconds)]
    if key.expires_at_seconds:
        lines.append(f"ends {day(key.expires_at_seconds)}")
    if key.previous_until_seconds > now_seconds:
        lines.append(f"old to {day(key.previous_until_seconds)}")
    return [*lines, f"used {hour(key.last_used_seconds)}"]


def _state(key: admin_pb2.Key, now_seconds: float) -> str:
    if key.revoked_at_seconds:
        return "revoked"
    if 0 < key.expires_at_seconds <= now_seconds:
        return "expired"
    return "disabled" if key.is_disabled else "active"


def say_limits(key: admin_pb2.Key) -> None:
    """Says what holds and what does not: a key that names one limit has none of the others."""
    console = Console(stderr=True)
    console.out(f"Limits: {', '.join(limits_of(key.quota, key.currency)) or 'none'}.", highlight=False)
    if unlimited := unlimited_of(key.quota):
        more = (
            f"`comptoir keys update {key.number}` sets more; a key that names none, or with "
            "--defaults-for-unset, has the router's defaults."
        )
        console.out(f"No limit: {', '.join(unlimited)}. {more}", highlight=False)
