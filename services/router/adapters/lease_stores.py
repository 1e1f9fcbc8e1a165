"""The lease store that the settings name."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from services.kernel.clock import Clock
from services.router.adapters.lease_calls import LeaseCalls
from services.router.adapters.lease_counter import metered, show_away
from services.router.adapters.local_share_leases import LocalShareLeases
from services.router.adapters.memory_leases import MemoryLeases
from services.router.adapters.redis_leases import RedisLeases
from services.router.domain.gone_processes import ALONE, Hearing
from services.router.domain.ports import LeaseStore
from services.router.domain.spending_book import SpendingBook
from services.router.settings import LeaseStoreSettings, WhileAway
from services.runtime.addresses import split_address
from services.runtime.settings import SettingsError


def open_lease_store(
    settings: LeaseStoreSettings, clock: Clock, book: SpendingBook | None = None, *, region: int
) -> LeaseStore:
    """Returns the store, which connects at its first call; SettingsError if a file is no use."""
    if not settings.is_shared:
        show_away(lambda: 0.0)
        return MemoryLeases(clock, book)
    calls = LeaseCalls(_client(settings), region=region, timeout_seconds=settings.timeout_seconds)
    shared = RedisLeases(calls, book)
    if settings.while_away is WhileAway.REFUSE:
        show_away(lambda: calls.away_seconds)
        return shared
    return metered(LocalShareLeases(shared, clock, routers=settings.sharing_routers, hearing=shared))


def hearing_of(store: LeaseStore) -> Hearing:
    """Returns what the routers that share the store know of whom the others hear."""
    return store if isinstance(store, RedisLeases | LocalShareLeases) else ALONE


def _client(settings: LeaseStoreSettings) -> Redis:
    host, port, path = "", 0, None
    if settings.address.startswith("unix:"):
        path = settings.address.removeprefix("unix:")
    else:
        host, port = split_address(settings.address)
    tls = settings.tls
    if tls is not None:
        # Says now what is wrong with the files.
        tls.ssl_context()
    return Redis(
        host=host,
        port=port,
        unix_socket_path=path,
        username=settings.user or None,
        password=_password(settings),
        db=settings.database,
        ssl=tls is not None,
        ssl_certfile=str(tls.certificate_file) if tls else None,
        ssl_keyfile=str(tls.private_key_file) if tls else None,
        ssl_ca_certs=str(tls.ca_file) if tls else None,
        # Who calls waits no longer than the settings say, by time in which the router runs.
        socket_timeout=None,
        socket_connect_timeout=None,
        # The next call tries again: a wait in between would hold all up that share the line.
        retry=Retry(NoBackoff(), 0),
    )


def _password(settings: LeaseStoreSettings) -> str | None:
    if settings.password_file is None:
        return None
    try:
        return settings.password_file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise SettingsError(f"the password file {settings.password_file.name} cannot be read.") from None
