"""What a folder of secrets holds: random ones, what follows from them, and whose certificates; pure."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

AUTHORITY: Final = "authority"
CA_KEY: Final = "authority/ca.key"
# Of an authority that is to take the place of the present one, and of the one that was before.
NEXT_CA_KEY: Final = "authority/next-ca.key"
FORMER_CA_KEY: Final = "authority/former-ca.key"
# One certificate, or two while one authority takes another's place: the first is whose key signs.
CA_CERTIFICATE: Final = "ca.crt"
NAMES: Final = "names.yaml"
SIGNING_KEY: Final = "router/signing-key"
PUBLIC_KEY: Final = "generator/ticket-1.pub"

Host = Annotated[str, Field(pattern=r"^(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]


class Names(BaseModel):
    """What is in certificates and yours to choose: `names.yaml` of the folder."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")] = "eu-fr"
    trust_domain: Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,255}$")] = "comptoir.internal"
    edge_hosts: Annotated[tuple[Host, ...], Field(min_length=1, max_length=100)] = ("localhost",)

    @property
    def edge_http(self) -> tuple[str, ...]:
        """The names in what the edge shows to clients: theirs, and the one by which the console calls it."""
        return tuple(dict.fromkeys((*self.edge_hosts, "edge")))


# Secrets that are 32 random bytes as hex, each in the folder of the one process that is given it.
RANDOM: Final = (
    "edge/prompt-prefixes",
    "router/pepper",
    SIGNING_KEY,
    "router/database-password",
    "router/lease-store-password",
    "generator/cache-salt",
    "emitter/pseudonym-epoch-1",
    "usage/clickhouse-password",
    "console/clickhouse-password",
    # From which links are made that let into the console.
    "console/sign-in",
    "grafana/clickhouse-password",
    "grafana/admin-password",
)


# What routers ask of Redis or Valkey: to load their functions, to call them, what those do, and the time.
LEASE_STORE_COMMANDS: Final = (
    *("function|load", "fcall", "time", "client|setinfo", "ping"),
    *("get", "set", "del", "exists", "pexpire", "sadd", "srem", "smembers"),
    *("zadd", "zrem", "zcard", "zrangebyscore", "zremrangebyscore"),
)


def lease_store_user(password: str) -> str:
    """Returns the line of an ACL file for the one user that routers are, of Comptoir's own keys alone."""
    may = " ".join(f"+{name}" for name in LEASE_STORE_COMMANDS)
    digest = hashlib.sha256(password.encode()).hexdigest()
    return f"user comptoir reset on #{digest} resetkeys ~comptoir:* resetchannels -@all {may}"


def _valkey_users(password: str) -> str:
    """Besides routers, everybody may ask whether the server lives."""
    return f"user default reset on nopass -@all +ping\n{lease_store_user(password)}"


def _clickhouse_user(name: str) -> Callable[[str], str]:
    def content(password: str) -> str:
        digest = hashlib.sha256(password.encode()).hexdigest()
        inner = f"<{name}><password_sha256_hex>{digest}</password_sha256_hex></{name}>"
        return f"<clickhouse><users>{inner}</users></clickhouse>"

    return content


@dataclass(frozen=True, slots=True)
class Follows:
    """A file whose content follows from a secret: the servers' side of a password."""

    source: str
    content: Callable[[str], str]


FOLLOWING: Final[Mapping[str, Follows]] = {
    "postgres/password": Follows("router/database-password", str),
    "valkey/users.acl": Follows("router/lease-store-password", _valkey_users),
    "clickhouse/writer.xml": Follows("usage/clickhouse-password", _clickhouse_user("comptoir_writer")),
    "clickhouse/grafana.xml": Follows("grafana/clickhouse-password", _clickhouse_user("grafana")),
    "clickhouse/console.xml": Follows("console/clickhouse-password", _clickhouse_user("console")),
}


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who has a certificate: its common name, what it is in the region, and by which hosts others call it."""

    name: str
    process: str
    hosts: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Where `tls.crt`, `tls.key` and `ca.crt` are."""
        return f"{self.name}-tls"

    def dns_names(self, names: Names) -> tuple[str, ...]:
        """Returns each host, and each with its region behind it."""
        behind = f"{names.region}.{names.trust_domain}"
        return (*self.hosts, *(f"{host}.{behind}" for host in self.hosts))

    def uri(self, names: Names) -> str:
        """Returns the SPIFFE ID, the only one in the certificate."""
        return f"spiffe://{names.trust_domain}/region/{names.region}/process/{self.process}"


def _one(name: str, *further: str, process: str = "") -> Bearer:
    return Bearer(name, process or name, (name, *further))


# Processes of Comptoir, where the last hosts are what health checks and registrations ask for.
BEARERS: Final = (
    _one("edge"),
    _one("router-1", "routers", "router", process="router"),
    _one("router-2", "routers", "router", process="router"),
    _one("generator", "generator-1"),
    _one("generator-cuda", "generator", "generator-2", process="generator"),
    _one("generator-server", "generator", "generator-3", process="generator"),
    _one("emitter"),
    _one("usage"),
    # Browsers of this machine call it by the second.
    _one("console", "localhost"),
    _one("operator"),
    # What Kafka calls the principal of deploy/kafka/topics.yaml.
    _one("comptoir-admin"),
    *map(_one, ("kafka", "clickhouse", "valkey", "postgres")),
    *map(_one, ("otel-collector", "prometheus", "alertmanager", "grafana")),
)
# Brokers want key and certificate in one file.
IN_ONE_FILE: Final = ("kafka-tls",)
# What clients of the API see, and the console.
EDGE_HTTP: Final = "edge-http"


# Who keeps them elsewhere has them only while something is signed.
MAY_BE_AWAY: Final = frozenset({CA_KEY, NEXT_CA_KEY, FORMER_CA_KEY})


def every_file() -> tuple[str, ...]:
    """Returns the path of each file that a folder holds, or may hold."""
    of_bearers = [
        f"{bearer.folder}/{name}"
        for bearer in BEARERS
        for name in ("tls.crt", "tls.key", "ca.crt", *(["tls.pem"] if bearer.folder in IN_ONE_FILE else []))
    ]
    shown_to_clients = (f"{EDGE_HTTP}/tls.crt", f"{EDGE_HTTP}/tls.key")
    once = (NAMES, CA_CERTIFICATE, *sorted(MAY_BE_AWAY))
    return (*once, *of_bearers, *shown_to_clients, *RANDOM, *FOLLOWING, PUBLIC_KEY)


def is_hex_secret(content: str) -> bool:
    """Tells whether a file of RANDOM holds what was once written into it."""
    try:
        return len(bytes.fromhex(content.strip())) == 32  # noqa: PLR2004 - bytes of every secret
    except ValueError:
        return False
