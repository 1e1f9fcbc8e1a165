"""What an id of an item may hold: the item itself, sealed, for a client that refers to items by their ids."""

from typing import Final, Protocol

# Stands between the parts of what is sealed; no id and no name of a function has it.
BETWEEN: Final = "\n"


class ItemSeal(Protocol):
    """Seals what its caller alone can open: an edge keeps neither the text nor a key."""

    def seal(self, item_id: str, content: str) -> str:
        """Returns an id that begins with `item_id` and holds `content`."""
        ...

    def open(self, sealed_id: str) -> str | None:
        """Returns what an id holds; None where it holds nothing, or was not sealed for this caller."""
        ...
