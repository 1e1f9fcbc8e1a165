"""The list of jars that make the broker, with their sums, as it is kept in `jars.lock`."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

BROKER_COORDINATE: Final = "org.apache.kafka:kafka_2.13"
_LINE: Final = re.compile(
    r"([A-Za-z0-9_.-]+):([A-Za-z0-9_.-]+):([A-Za-z0-9_.-]+) ([1-9][0-9]*) ([0-9a-f]{64})"
)


class JarLockError(Exception):
    """The lock cannot be used; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One jar: its coordinate, its size in bytes and the SHA-256 of its bytes in hexadecimal digits."""

    group: str
    artifact: str
    version: str
    size_bytes: int
    sha256: str

    @property
    def coordinate(self) -> str:
        """`group:artifact:version`."""
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        """The name that the jar has in every repository and in the cache folder."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def line(self) -> str:
        """The jar as one line of the lock."""
        return f"{self.coordinate} {self.size_bytes} {self.sha256}"


@dataclass(frozen=True, slots=True)
class JarLock:
    """All jars, in the order of the class path."""

    jars: tuple[Jar, ...]

    @property
    def kafka_version(self) -> str:
        """The broker's version, which names the cache folder."""
        return next(jar.version for jar in self.jars if f"{jar.group}:{jar.artifact}" == BROKER_COORDINATE)

    @property
    def size_bytes(self) -> int:
        """The bytes of all jars together."""
        return sum(jar.size_bytes for jar in self.jars)

    @property
    def digest(self) -> str:
        """The SHA-256 of the list: equal digests mean equal jars."""
        return hashlib.sha256("\n".join(jar.line for jar in self.jars).encode()).hexdigest()


def parse(text: str) -> JarLock:
    """Returns the lock that `text` holds; empty lines and lines that begin with `#` say nothing.

    Raises JarLockError for a line of another form, a jar that stands twice, or a lock without the broker.
    """
    jars: list[Jar] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise JarLockError(f"line {number} of jars.lock is not a coordinate, a size and a SHA-256.")
        group, artifact, version, size_bytes, sha256 = match.groups()
        jars.append(Jar(group, artifact, version, int(size_bytes), sha256))
    if len({jar.file_name for jar in jars}) < len(jars):
        raise JarLockError("a jar stands twice in jars.lock.")
    if not any(f"{jar.group}:{jar.artifact}" == BROKER_COORDINATE for jar in jars):
        raise JarLockError("jars.lock does not name the broker itself.")
    return JarLock(tuple(jars))
