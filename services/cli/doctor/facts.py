"""What was seen of the world, before anybody judges it; pure."""

from dataclasses import dataclass
from enum import Enum

from services.cli.doctor.places import NamedFile, Place


class Trouble(Enum):
    """Why an address was not reached."""

    NO_HOST = "no host has that name"
    NOTHING_LISTENS = "nothing listens there"
    NO_ANSWER = "it did not answer in time"
    NOT_ALLOWED = "this user may not open the socket"
    NO_TLS = "what listens there speaks no TLS"
    NOT_BELIEVED = "its certificate is not believed"
    OTHER_NAME = "its certificate is for another name"
    CERTIFICATE_REFUSED = "it did not take the certificate that was shown"
    FILES_UNUSABLE = "the TLS files are no certificate, its key and an authority"
    NO_ADDRESS = "that is no host:port"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate by its names and its time, in Unix seconds."""

    names: tuple[str, ...]
    not_before_seconds: float
    not_after_seconds: float


@dataclass(frozen=True, slots=True)
class Reach:
    """An attempt to reach an address; `shown` is what it showed over TLS."""

    place: Place
    trouble: Trouble | None = None
    seconds: float = 0.0
    shown: Certificate | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a process says of its readiness; `reason` is a name of ours, and empty where it is ready."""

    place: Place
    reason: str = ""
    numbers: str = ""
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as it lies there; `certificates` is None where it should hold some and does not."""

    file: NamedFile
    exists: bool = True
    is_readable: bool = True
    mode: int = 0o600
    certificates: tuple[Certificate, ...] | None = ()


@dataclass(frozen=True, slots=True)
class SeenClock:
    """How far another clock is ahead of this machine's, known to within `within_seconds` either way."""

    subject: str
    ahead_seconds: float
    within_seconds: float


@dataclass(frozen=True, slots=True)
class SeenFolder:
    """A folder's file system; `needs_bytes` is what the settings let it still take."""

    subject: str
    free_bytes: int
    total_bytes: int
    needs_bytes: int = 0


@dataclass(frozen=True, slots=True)
class SeenStore:
    """What the store says of itself; None where it has no such table yet."""

    retention_days: int | None
    schema_version: int | None


@dataclass(frozen=True, slots=True)
class SeenBuild:
    """What a process that runs says of its version, by the key of the address where it said so."""

    key: str
    process: str
    version: str
