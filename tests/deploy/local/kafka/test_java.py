import asyncio
from pathlib import Path

from deploy.local.kafka.data_folder import DataFolder
from deploy.local.kafka.java import BROKER_CLASS, Java, Runtime


def _runtime(folder: DataFolder) -> Runtime:
    return Runtime((Path("/jars/a.jar"), Path("/jars/b.jar")), 300, folder)


def test_the_command_bounds_memory_and_writes_no_dump(tmp_path: Path) -> None:
    with DataFolder(tmp_path, wait_seconds=0) as folder:
        command = _runtime(folder).command(BROKER_CLASS, "server.properties")

    assert "-Xmx300m" in command
    assert "-XX:-CreateCoredumpOnCrash" in command
    assert "/jars/a.jar:/jars/b.jar" in command
    assert command[-2:] == ["kafka.Kafka", "server.properties"]


async def test_a_program_that_cannot_run_ends_with_a_status_and_needs_no_stop(tmp_path: Path) -> None:
    with DataFolder(tmp_path, wait_seconds=0) as folder:
        async with asyncio.timeout(30):
            java = await Java.start(_runtime(folder), "no.such.Class")
            assert await java.wait() == 1
            assert await java.stop(0)
