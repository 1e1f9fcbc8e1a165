"""What `comptoir apply` says of a catalog: what differs where, and what has to be done for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.cli.catalog_plan import CatalogChange

# Each reads the catalog at its start; in the order in which a roll-out has them.
_PROCESSES: Final = ("usage", "emitter", "generator", "router", "edge")


@dataclass
class CatalogReport:
    """The differences from a settings file, where there is one, and from what the router runs."""

    # None where no file was named.
    settings_name: str | None = None
    of_settings: Sequence[CatalogChange] = ()
    is_written: bool = False
    processes: Sequence[str] = field(default=_PROCESSES)
    of_router: Sequence[CatalogChange] = ()
    # Why the router could not be asked; empty where it was.
    unasked: str = ""

    @property
    def differs(self) -> bool:
        """Tells whether anything is not as it is declared."""
        return bool(self.of_settings or self.of_router)

    def content(self) -> dict[str, Any]:
        """Returns it for programs."""
        return {
            "settings": None if self.settings_name is None else [_content(one) for one in self.of_settings],
            "is_written": self.is_written,
            "router": None if self.unasked else [_content(one) for one in self.of_router],
            "restart": self._to_restart(),
        }

    def show(self, console: Console) -> None:
        """Prints it for people."""
        changes = self.of_settings or self.of_router
        if changes:
            console.print(_table(changes))
        for sentence in self._sentences():
            console.out(sentence, highlight=False)

    def _sentences(self) -> list[str]:
        said = []
        if self.is_written:
            said.append(f"{self.settings_name} is written.")
        elif self.of_settings:
            said.append(f"{self.settings_name} would be written.")
        if self.of_router and self.settings_name is None:
            said.append("The router runs another catalog than is declared; --settings FILE writes it there.")
        elif self.differs:
            said.append(
                f"Processes read the catalog at their start: restart {', '.join(self._to_restart())}."
            )
        if self.unasked:
            said.append(f"What the router runs is not known. {self.unasked}")
        return said

    def _to_restart(self) -> list[str]:
        return [name for name in _PROCESSES if name in self.processes] if self.differs else []


def _content(change: CatalogChange) -> dict[str, Any]:
    return {
        "what": change.what,
        "kind": change.kind,
        "number": change.number,
        "name": change.name,
        "keys": list(change.keys),
    }


def _table(changes: Sequence[CatalogChange]) -> Table:
    table = Table("catalog", "number", "name", "keys")
    for change in changes:
        what, number = f"{change.kind} {change.what}", str(change.number or "")
        table.add_row(what, number, change.name, ", ".join(change.keys))
    return table
