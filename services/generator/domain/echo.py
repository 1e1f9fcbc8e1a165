"""The text of a prompt before each choice of its answer."""

from services.generator.domain.delta import Delta


class Echo:
    """Puts a text before the first delta of each choice.

    It has no delta of its own: as long as no token has come, a caller may still use its next ticket.
    """

    def __init__(self, text: str = "") -> None:
        self._text = text
        self._begun: set[int] = set()

    def begin(self, delta: Delta) -> None:
        """Lets a delta begin with the text, where it is the first of its choice."""
        if self._text and delta.index not in self._begun:
            self._begun.add(delta.index)
            delta.text = self._text + delta.text
