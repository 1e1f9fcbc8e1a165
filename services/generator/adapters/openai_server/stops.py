"""Stop strings of a server that leaves them in its answer: cut off here, wherever its chunks divide them."""

from collections.abc import Collection, Sequence

from services.generator.adapters.openai_server.logprobs import TokenBytes


class StopCutter:
    """Holds back what may be the beginning of a stop string until what follows has decided it."""

    def __init__(
        self, strings: Sequence[str], token_ids: Collection[int], token_bytes: TokenBytes | None
    ) -> None:
        self._strings = strings
        self._token_ids = token_ids
        self._token_bytes = token_bytes
        self._held = ""

    def take(self, text: str) -> str:
        """Returns what can be told once this text has come."""
        whole = self._held + text
        kept = max((_overlap(whole, stop) for stop in self._strings), default=0)
        self._held = whole[len(whole) - kept :]
        return whole[: len(whole) - kept]

    def end(self, text: str, stop: int | str | None) -> str:
        """Returns what is left with the last text, without what the server says that stopped it."""
        whole, self._held = self._held + text, ""
        if isinstance(stop, str) and stop in self._strings:
            # Whatever a server leaves behind the string is none of the answer.
            return whole.partition(stop)[0]
        if isinstance(stop, int) and stop in self._token_ids and self._token_bytes is not None:
            return whole.removesuffix(self._token_bytes(stop).decode(errors="replace"))
        return whole


def _overlap(text: str, stop: str) -> int:
    """Returns how many of the last letters of a text are the first of a stop string, perhaps all of it."""
    sizes = range(min(len(text), len(stop)), 0, -1)
    return next((size for size in sizes if stop.startswith(text[-size:])), 0)
