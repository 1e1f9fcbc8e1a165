"""A command behind a pseudo-terminal, `comptoir` or a shell: what a person types, and what appears."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from services.runtime.settings import environment

# A busy machine imports OpenAI's client in several seconds.
SECONDS: Final = 60.0


class TerminalProcess:
    """One run of the command, of which everything that appeared is kept."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self._process = process
        self._terminal = terminal
        self.appeared = ""
        self._seen = 0

    @property
    def pid(self) -> int:
        """The process, whose terminal this is."""
        return self._process.pid

    def type(self, text: str) -> None:
        """Types as a person does, control characters too, and as \\udc80 to \\udcff what is no UTF-8."""
        os.write(self._terminal, text.encode("utf-8", "surrogateescape"))

    def until(self, words: str) -> str:
        """Waits for words behind those of the last call, and returns what appeared up to them."""
        deadline = time.monotonic() + SECONDS
        while (found := self.appeared.find(words, self._seen)) < 0:
            assert self._read(deadline), f"{words!r} did not appear: {self.appeared!r}"
        before, self._seen = self.appeared[self._seen : found], found + len(words)
        return before

    def ended(self) -> int:
        """Waits for the end of the process, and returns its exit status."""
        deadline = time.monotonic() + SECONDS
        while self._read(deadline):
            pass
        return self._process.wait(SECONDS)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            more = os.read(self._terminal, 65_536)
        except OSError:
            # Linux says so of a terminal that nobody has open any more.
            return False
        self.appeared += more.decode("utf-8", "replace")
        return bool(more)


def on_a_terminal(*arguments: str, variables: Mapping[str, str]) -> AbstractContextManager[TerminalProcess]:
    """Runs `comptoir` with these arguments on a plain terminal of its own."""
    return running_on_a_terminal([sys.executable, "-m", "services.cli", *arguments], variables)


@contextmanager
def running_on_a_terminal(command: Sequence[str], variables: Mapping[str, str]) -> Iterator[TerminalProcess]:
    """Runs a command on a plain terminal of its own; it is killed at the end if it still runs."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            # Ctrl-C reaches those whose terminal it is.
            ["setsid", "--ctty", *command],  # noqa: S607
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment(), "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "200", **variables},
        )
        os.close(theirs)
        try:
            yield TerminalProcess(process, ours)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait(SECONDS)
    finally:
        os.close(ours)
