"""Which addresses, files and folders a process's settings name; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from urllib.parse import urlsplit

_CALLED: Final = ("router", "emitter")
_PUBLIC_FILES: Final = frozenset({"certificate_file", "ca_file", "database_file"})
_PUBLIC_MAPPINGS: Final = frozenset({"ticket_public_keys", "requester_key_files", "approver_key_files"})
_CERTIFICATES: Final = frozenset({"certificate_file", "ca_file"})
_ANY_HOST: Final = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
_PORTS: Final = {"https": 443, "http": 80, "postgresql": 5432}


class Speaks(Enum):
    """What is spoken at an address."""

    GRPC = "gRPC"
    HTTP = "HTTP"
    REDIS = "Redis"
    KAFKA = "Kafka"
    CLICKHOUSE = "ClickHouse"
    POSTGRESQL = "PostgreSQL"
    OTLP = "OTLP"


@dataclass(frozen=True, slots=True)
class Tls:
    """Files that a caller shows and believes; where all are empty, the system's authorities count."""

    ca_file: str = ""
    certificate_file: str = ""
    private_key_file: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """An address by the key that names it; `is_own` where the process itself listens there."""

    key: str
    address: str
    speaks: Speaks
    tls: Tls | None = None
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file by the key that names it."""

    key: str
    path: str
    is_secret: bool
    is_certificate: bool


def places_of(process: str, settings: Mapping[str, Any]) -> list[Place]:
    """Returns every address of a process's settings, its own first."""
    return [*_own(process, settings), *_called(process, settings)]


def files_of(process: str, settings: Mapping[str, Any]) -> list[NamedFile]:
    """Returns every file that the settings name by a key that ends in `_file` or `_files`."""
    return [
        NamedFile(f"{process}.{'.'.join(keys)}", path, _is_secret(keys), keys[-1] in _CERTIFICATES)
        for keys, path in _paths(settings, ())
        if keys[-1] != "database_file"
    ]


def _own(process: str, settings: Mapping[str, Any]) -> Iterator[Place]:
    for name, value in settings.items():
        if not name.endswith("listen"):
            continue
        key = f"{process}.{name}"
        if isinstance(value, str):
            speaks = Speaks.KAFKA if process.endswith("kafka") else Speaks.HTTP
            yield Place(key, value, speaks, is_own=True)
        elif isinstance(value, Mapping) and "address" in value:
            yield Place(key, _reachable(str(value["address"])), Speaks.GRPC, _tls(value), is_own=True)
        elif isinstance(value, Mapping) and value.get("port"):
            host = _ANY_HOST.get(str(value.get("host", "")), str(value.get("host", "")))
            yield Place(key, f"{host}:{value['port']}", Speaks.HTTP, _tls(value), is_own=True)


def _called(process: str, settings: Mapping[str, Any]) -> Iterator[Place]:
    for name in _CALLED:
        yield from _address(f"{process}.{name}", settings.get(name), Speaks.GRPC)
    for number, router in enumerate(settings.get("further_routers") or ()):
        yield from _address(f"{process}.further_routers[{number}]", router, Speaks.GRPC)
    lease_store = settings.get("lease_store")
    if isinstance(lease_store, Mapping) and lease_store.get("address", "memory") != "memory":
        yield from _address(f"{process}.lease_store", lease_store, Speaks.REDIS)
    kafka = settings.get("kafka")
    if isinstance(kafka, Mapping):
        for address in str(kafka.get("bootstrap", "")).split(","):
            yield Place(f"{process}.kafka", address.strip(), Speaks.KAFKA, _tls(kafka))
    clickhouse = settings.get("clickhouse")
    if isinstance(clickhouse, Mapping):
        yield from _url(f"{process}.clickhouse", clickhouse.get("url"), Speaks.CLICKHOUSE, clickhouse)
    yield from _url(f"{process}.database_url", settings.get("database_url"), Speaks.POSTGRESQL, {})
    telemetry = settings.get("telemetry")
    if isinstance(telemetry, Mapping) and telemetry.get("otlp_endpoint"):
        endpoint = str(telemetry["otlp_endpoint"])
        is_plain = bool(telemetry.get("is_otlp_insecure")) or endpoint.startswith("http://")
        address = endpoint.partition("://")[2] or endpoint
        tls = _tls({"tls": telemetry.get("otlp_tls")}) or Tls()
        yield Place("telemetry.otlp_endpoint", address.rstrip("/"), Speaks.OTLP, None if is_plain else tls)


def _address(key: str, value: Any, speaks: Speaks) -> Iterator[Place]:
    if isinstance(value, Mapping) and value.get("address"):
        yield Place(key, str(value["address"]), speaks, _tls(value))


def _url(key: str, url: Any, speaks: Speaks, settings: Mapping[str, Any]) -> Iterator[Place]:
    """Yields the address in a URL, without the user and password that it may hold."""
    if not url:
        return
    parts = urlsplit(str(url))
    scheme = parts.scheme.partition("+")[0]
    port = parts.port or _PORTS.get(scheme, 5432)
    tls = Tls(ca_file=str(settings.get("ca_file") or "")) if scheme == "https" else None
    yield Place(key, f"{parts.hostname}:{port}", speaks, tls)


def _tls(settings: Mapping[str, Any]) -> Tls | None:
    tls = settings.get("tls")
    if isinstance(tls, Mapping):
        names = ("ca_file", "certificate_file", "private_key_file")
        return Tls(**{name: str(tls.get(name) or "") for name in names})
    # Kafka's users need no certificate.
    return Tls(ca_file=str(settings["ca_file"])) if settings.get("ca_file") else None


def _reachable(address: str) -> str:
    if address.startswith("unix:"):
        return address
    host, _, port = address.rpartition(":")
    return f"{_ANY_HOST.get(host.strip('[]'), host)}:{port}"


def _paths(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from _paths(below, (*keys, str(name)))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _paths(below, (*keys, str(number)))
    elif isinstance(value, str) and (keys[-1].endswith("_file") or _PUBLIC_MAPPINGS & set(keys)):
        yield keys, value


def _is_secret(keys: tuple[str, ...]) -> bool:
    return keys[-1] not in _PUBLIC_FILES and not _PUBLIC_MAPPINGS & set(keys)
