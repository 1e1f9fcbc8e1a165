"""One supervised process: started in a session of its own, watched, and stopped with all that it started."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.local.stack import tether
from deploy.local.stack.journal import iso
from deploy.local.stack.log_files import open_log
from deploy.local.stack.plan import ProcessPlan, is_sentence
from services.kernel.clock import Clock
from services.runtime.parts import first_of

_LAST_BYTES: Final = 16 * 1024
_UNREADY_SECONDS: Final = 3.0


class Child:
    """A process of the plan, with its log file; at most one run of it lives at a time."""

    def __init__(
        self, plan: ProcessPlan, log_file: Path, environment: Mapping[str, str], clock: Clock
    ) -> None:
        self.plan = plan
        self.restarts = 0
        # Why it is not ready now, in words; empty while it is.
        self.why = ""
        # What ended its last run, or its last spell of being ready; empty where nothing ever did.
        self.last_cause = ""
        self._clock = clock
        self._state = "waiting"
        self.since = iso(clock)
        self._log_file = log_file
        self._environment = dict(environment)
        self._log_start_bytes = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def state(self) -> str:
        """waiting, starting, ready, unready, restarting, draining or stopped."""
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        if state != self._state:
            self.since = iso(self._clock)
        self._state = state

    @property
    def pid(self) -> int | None:
        """The process id of the run that lives, or None."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    @property
    def exit_status(self) -> int | None:
        """How the last run ended, or None while it lives."""
        return None if self._process is None else self._process.returncode

    async def start(self) -> None:
        """Starts a run; its output is appended to the log file."""
        self._forget_last_run()
        with open_log(self._log_file) as log:
            self._log_start_bytes = os.fstat(log.fileno()).st_size
            self._process = await asyncio.create_subprocess_exec(
                *_tethered(self.plan.arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        self.state = "starting"

    def _forget_last_run(self) -> None:
        if self.plan.probe.kind == "file":
            Path(self.plan.probe.where).unlink(missing_ok=True)

    def yield_to_others(self) -> None:
        """Lowers the run by its niceness, with all that it started in its session."""
        if self.pid is None or self.plan.niceness == 0:
            return
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PGRP, self.pid, self.plan.niceness)
            # Where Linux groups processes by session, it weighs the sessions first.
            Path(f"/proc/{self.pid}/autogroup").write_text(str(self.plan.niceness), encoding="ascii")

    async def wait(self) -> int:
        """Waits for the end of the run and clears away what it left in its session."""
        if self._process is None:
            return 0
        status = await self._process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return status

    async def stop(self, kill_now: asyncio.Event | None = None) -> None:
        """Asks the run to drain; kills it when its time is over, or as soon as `kill_now` is set."""
        if self.pid is not None and self._process is not None:
            # What was never ready has nothing to drain, and may be deep in an import.
            patience_seconds = _UNREADY_SECONDS if self.state == "starting" else self.plan.drain_seconds
            self.state = "draining"
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            await self._wait_patiently(patience_seconds, kill_now)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self.wait()
        self.state = "stopped"

    async def _wait_patiently(self, seconds: float, kill_now: asyncio.Event | None) -> None:
        told_to_kill = [] if kill_now is None else [kill_now.wait()]
        await first_of(self.wait(), *told_to_kill, within_seconds=seconds)

    def last_sentence(self) -> str:
        """Returns what the last run said to people at its end, or an empty text."""
        with self._log_file.open("rb") as log:
            log.seek(max(self._log_start_bytes, self._log_file.stat().st_size - _LAST_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
        return next((line for line in reversed(lines) if is_sentence(line)), "")


def _tethered(command: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *command]
