"""The one door to jgo, a Maven resolver: downloads single jars, and finds all that a coordinate needs."""

import contextlib
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import requests
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext, PythonResolver

from deploy.local.kafka.jar_lock import Jar
from deploy.local.kafka.jars import JarsError

OnBytes = Callable[[int], None]
_TIMEOUT_SECONDS: Final = 20
_ATTEMPTS: Final = 3


def download(jar: Jar, folder: Path, on_bytes: OnBytes) -> Path:
    """Downloads one jar to somewhere below `folder` and says how many bytes came each time.

    Repositories are the public one and those of the person's own `jgo.conf`. Raises JarsError.
    """
    cause: Exception | None = None
    for attempt in range(_ATTEMPTS):
        # A folder per attempt: the library refuses to write over what a broken one left.
        context = _context(folder / f"{jar.file_name}.{attempt}", on_bytes)
        try:
            return Path(context.create_dependency(jar.coordinate).artifact.resolve())
        except (requests.RequestException, RuntimeError) as error:
            # The library does not close an answer that it refuses: its frames keep the connection open.
            traceback.clear_frames(error.__traceback__)
            cause = error
    # The library's own text names hosts and folders: it stays the cause and is not repeated.
    raise JarsError(
        f"{jar.file_name} could not be downloaded; check the network, or name a mirror "
        "in jgo.conf, and start again: what has arrived is kept."
    ) from cause


def closure(coordinates: tuple[str, ...], folder: Path) -> list[tuple[str, Path]]:
    """Returns every jar that `coordinates` need at run time, as coordinate and downloaded file.

    "!" keeps a coordinate's managed versions to itself: without it the log library's would replace Kafka's
    own client by an older one.
    """
    context = _context(folder, lambda _: None)
    wanted = [context.create_dependency(f"{coordinate}!") for coordinate in coordinates]
    own, needed = context.resolver.resolve(wanted)
    return [
        (f"{jar.groupId}:{jar.artifactId}:{jar.version}", Path(jar.artifact.resolve()))
        for jar in [*own, *needed]
    ]


def _context(folder: Path, on_bytes: OnBytes) -> MavenContext:
    @contextlib.contextmanager
    def progress(_file_name: str, _size_bytes: int) -> Iterator[OnBytes]:
        yield on_bytes

    return MavenContext(
        resolver=PythonResolver(progress_callback=progress),
        repo_cache=folder,
        remote_repos={"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories},
        timeout=_TIMEOUT_SECONDS,
    )
