"""How a bench is getting on: a bar on a terminal, a line now and then elsewhere, on standard error."""

from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from services.cli.bench.exchange import Exchange
from services.cli.bench.percentiles import percentile
from services.cli.loading.tally import Tally, joined

_REFRESH_SECONDS: Final = 0.25
_LINE_SECONDS: Final = 5.0


class Screen:
    """Shows a level of load while it runs; it is told of every request and asked to draw now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        # One that cannot move its cursor gets lines too.
        self._has_bar = console.is_terminal and not console.is_dumb_terminal
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._begin("", None)

    @property
    def interval_seconds(self) -> float:
        """How often it wants to be drawn."""
        return _REFRESH_SECONDS if self._has_bar else _LINE_SECONDS

    def __enter__(self) -> Self:
        if self._has_bar:
            columns = (TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[said]}"))
            # Drawn by hand: a thread of its own would take turns with what is measured.
            self._bar = Progress(*columns, TimeElapsedColumn(), console=self._console, auto_refresh=False)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def level(self, title: str, requests: int | None) -> None:
        """A level begins, of so many requests where that is known."""
        self._begin(title, requests)
        if self._bar is None:
            self._line(f"{title} begins.")
            return
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(title, total=requests, said="")

    def began(self) -> None:
        """One more is under way in this process."""
        self._own.began()

    def ended(self, exchange: Exchange) -> None:
        """One of this process ended so."""
        self._own.ended(exchange)

    def told(self, index: int, tally: Tally) -> None:
        """So far is the process of that number by now."""
        self._others[index] = tally

    def draw(self) -> None:
        """Shows how far it is."""
        if self._bar is None or self._task is None:
            self._line(f"{self._title}: {self.said()}")
            return
        self._bar.update(self._task, completed=self._whole().done, said=self.said())
        self._bar.refresh()

    def said(self) -> str:
        """Returns how far it is in a few words."""
        whole = self._whole()
        of = "" if self._requests is None else f" of {self._requests}"
        words = [f"{whole.done}{of} requests", f"{whole.in_flight} in flight", f"{whole.failed} failed"]
        if whole.recent:
            words.append(f"TTFT p50 lately {1000 * percentile(sorted(whole.recent), 50):.0f} ms")
        return ", ".join(words)

    def note(self, sentence: str) -> None:
        """Says a sentence between."""
        self._line(sentence)

    def _begin(self, title: str, requests: int | None) -> None:
        self._title, self._requests = title, requests
        self._own = Tally()
        self._others: dict[int, Tally] = {}

    def _whole(self) -> Tally:
        return joined((self._own, *self._others.values()))

    def _line(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, markup=False, soft_wrap=True)
