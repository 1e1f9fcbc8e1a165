"""Writes `jars.lock` anew, for a move to another Kafka: `python -m deploy.local.kafka.relock`."""

import hashlib
import tempfile
from pathlib import Path
from typing import Final

from deploy.local.kafka.jar_lock import BROKER_COORDINATE, Jar, JarLock
from deploy.local.kafka.jars import LOCK_FILE
from deploy.local.kafka.maven import closure

# Without a log library the broker is mute, even about why it stops.
COORDINATES: Final = (
    f"{BROKER_COORDINATE}:4.1.2",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5",
    "org.apache.logging.log4j:log4j-core:2.25.5",
)
_HEADING: Final = "# The jars of the local Kafka broker: coordinate, bytes, SHA-256. Written by relock.py.\n"


def main() -> None:
    """Resolves, downloads and sums; the file changes only if all of it worked."""
    with tempfile.TemporaryDirectory() as folder:
        lock = JarLock(tuple(_jar(*found) for found in sorted(closure(COORDINATES, Path(folder)))))
    LOCK_FILE.write_text(_HEADING + "".join(f"{jar.line}\n" for jar in lock.jars), encoding="ascii")


def _jar(coordinate: str, path: Path) -> Jar:
    group, artifact, version = coordinate.split(":")
    content = path.read_bytes()
    return Jar(group, artifact, version, len(content), hashlib.sha256(content).hexdigest())


if __name__ == "__main__":
    main()
