import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.local.kafka import jars
from deploy.local.kafka.jar_lock import Jar, JarLock
from deploy.local.kafka.jars import JarsError, Progress
from services.runtime import file_lock

CONTENTS = {"kafka_2.13": b"broker" * 100, "kafka-clients": b"client" * 50, "log4j-core": b"log" * 30}


def _jar(artifact: str) -> Jar:
    content = CONTENTS[artifact]
    return Jar("org.apache.kafka", artifact, "4.1.2", len(content), hashlib.sha256(content).hexdigest())


LOCK = JarLock(tuple(_jar(artifact) for artifact in CONTENTS))


class Repository:
    """Serves the contents, counts what it served, and can fail or lie about one jar."""

    def __init__(self) -> None:
        self.served: list[str] = []
        self.fails_at = ""
        self.lies_about = ""
        self._lock = threading.Lock()

    def download(self, jar: Jar, folder: Path, on_bytes: Callable[[int], None]) -> Path:
        if jar.artifact == self.fails_at:
            raise JarsError("no network.")
        content = CONTENTS[jar.artifact]
        path = folder / jar.file_name
        path.write_bytes(content[::-1] if jar.artifact == self.lies_about else content)
        on_bytes(len(content))
        with self._lock:
            self.served.append(jar.artifact)
        return path


@pytest.fixture
def repository() -> Repository:
    return Repository()


def _fetch(repository: Repository, cache: Path) -> list[Progress]:
    steps: list[Progress] = []
    jars.fetch(LOCK, cache, download=repository.download, on_progress=steps.append, wait_seconds=5)
    return steps


def test_jars_are_fetched_once_and_then_found_without_reading_them(
    repository: Repository, tmp_path: Path
) -> None:
    assert not jars.are_present(LOCK, tmp_path)

    _fetch(repository, tmp_path)

    assert jars.are_present(LOCK, tmp_path)
    assert [path.read_bytes() for path in jars.class_path(LOCK, tmp_path)] == list(CONTENTS.values())
    _fetch(repository, tmp_path)
    assert sorted(repository.served) == sorted(CONTENTS)


def test_progress_grows_to_the_whole(repository: Repository, tmp_path: Path) -> None:
    steps = _fetch(repository, tmp_path)

    assert [step.bytes_done for step in steps] == sorted(step.bytes_done for step in steps)
    assert steps[-1] == Progress(3, 3, LOCK.size_bytes, LOCK.size_bytes)


def test_a_jar_with_another_sum_is_refused_and_never_reaches_its_place(
    repository: Repository, tmp_path: Path
) -> None:
    repository.lies_about = "kafka-clients"

    with pytest.raises(JarsError, match=r"kafka-clients-4\.1\.2\.jar as downloaded is not the file"):
        _fetch(repository, tmp_path)

    assert not jars.are_present(LOCK, tmp_path)
    assert not jars.class_path(LOCK, tmp_path)[1].exists()


def test_what_arrived_before_a_failure_is_kept(repository: Repository, tmp_path: Path) -> None:
    repository.fails_at = "log4j-core"
    with pytest.raises(JarsError, match="no network"):
        _fetch(repository, tmp_path)
    first = list(repository.served)

    repository.fails_at = ""
    _fetch(repository, tmp_path)

    assert sorted(repository.served) == sorted(CONTENTS)
    assert repository.served[: len(first)] == first


def test_a_jar_that_changed_its_size_is_fetched_again(repository: Repository, tmp_path: Path) -> None:
    _fetch(repository, tmp_path)
    jars.class_path(LOCK, tmp_path)[0].write_bytes(b"short")

    assert not jars.are_present(LOCK, tmp_path)
    _fetch(repository, tmp_path)

    assert repository.served[3:] == ["kafka_2.13"]


def test_a_corrupted_jar_of_the_right_size_is_found_when_the_lock_changes(
    repository: Repository, tmp_path: Path
) -> None:
    _fetch(repository, tmp_path)
    damaged = jars.class_path(LOCK, tmp_path)[0]
    damaged.write_bytes(b"x" * LOCK.jars[0].size_bytes)
    (damaged.parent / "checked").write_text("another lock", encoding="ascii")

    _fetch(repository, tmp_path)

    assert damaged.read_bytes() == CONTENTS["kafka_2.13"]


def test_two_at_once_download_once(repository: Repository, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_fetch, repository, tmp_path) for _ in range(2)]:
            done.result(timeout=10)

    assert sorted(repository.served) == sorted(CONTENTS)


def test_what_a_killed_download_left_is_taken_away(repository: Repository, tmp_path: Path) -> None:
    leftover = tmp_path / LOCK.kafka_version / "download-abc"
    leftover.mkdir(parents=True)

    _fetch(repository, tmp_path)

    assert not leftover.exists()


def test_a_download_elsewhere_that_never_ends_is_a_sentence(repository: Repository, tmp_path: Path) -> None:
    elsewhere = file_lock.acquire(tmp_path / f"{LOCK.kafka_version}.lock", wait_seconds=0)
    try:
        with pytest.raises(JarsError, match="too long"):
            jars.fetch(
                LOCK, tmp_path, download=repository.download, on_progress=lambda _: None, wait_seconds=0.1
            )
    finally:
        os.close(elsewhere)


def test_a_cache_folder_that_cannot_be_written_is_a_sentence(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="ascii")

    with pytest.raises(JarsError, match="cannot be written"):
        _fetch(repository, tmp_path / "file")
