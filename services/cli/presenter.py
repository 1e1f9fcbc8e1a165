"""Shows a start to the person at the terminal: a line per part with its elapsed time, then how to use it."""

import json
import time
from typing import Any, Protocol

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from deploy.local.stack.errors import StackError
from services.cli.console_link import link_of
from services.cli.ready_screen import ready_screen


class Presenter(Protocol):
    """Who is told of a start's progress and of its result."""

    def step(self, name: str, title: str, state: str) -> None:
        """Shows that one part changed its state."""
        ...

    def ready(self, state: dict[str, Any], api_key: str | None) -> None:
        """Shows that everything runs; `api_key` is the fresh key, or None if the folder had one."""
        ...

    def close(self) -> None:
        """Ends the picture of the start, which is over, well or not."""
        ...


class JsonPresenter:
    """Prints one JSON object when everything runs, and nothing before."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def step(self, name: str, title: str, state: str) -> None:
        """Says nothing."""

    def ready(self, state: dict[str, Any], api_key: str | None) -> None:
        """Prints the object; it holds `api_key` only if this start made it."""
        content = {**state, **({"api_key": api_key} if api_key else {})}
        self._console.out(json.dumps(content), highlight=False)

    def close(self) -> None:
        """Does nothing: nothing is open."""


class TerminalPresenter:
    """A line per part; on a terminal with a spinner and running time, elsewhere one line per change."""

    def __init__(self, console: Console, how_to_stop: str) -> None:
        self._console = console
        self._how_to_stop = how_to_stop
        self._started = time.monotonic()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._is_ready = False
        self._state: dict[str, Any] = {}
        if console.is_terminal:
            columns = (
                SpinnerColumn(finished_text="[green]✓"),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
            )
            self._progress = Progress(*columns, console=console)
            self._progress.start()

    def step(self, name: str, title: str, state: str) -> None:
        """Shows that one part changed its state."""
        if self._progress is None or self._is_ready:
            elapsed = time.monotonic() - self._started
            self._console.print(f"{elapsed:7.1f} s  {title:<24} {state}", highlight=False, markup=False)
            if self._is_ready and (name, state) == ("console", "ready"):
                self._say_link()
            return
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(title, total=1)
        done = state in {"ready", "done", "stopped"}
        self._progress.update(self._tasks[name], description=f"{title:<24} {state}", completed=int(done))

    def ready(self, state: dict[str, Any], api_key: str | None) -> None:
        """Shows how to use what runs, and how to stop it."""
        self.close()
        self._is_ready, self._state = True, state
        elapsed = time.monotonic() - self._started
        screen = ready_screen(state, api_key, self._how_to_stop, elapsed, _link(state))
        self._console.out("\n" + screen, highlight=False)

    def _say_link(self) -> None:
        """Says how to see the page, which starts after all others; each run of it has links of its own."""
        if link := _link(self._state):
            self._console.out(f"  Console   {link}", highlight=False)

    def close(self) -> None:
        """Stops drawing."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _link(state: dict[str, Any]) -> str:
    """Returns a link for the stack's console; empty where none answers now."""
    try:
        return link_of(state)
    except StackError:
        return ""
