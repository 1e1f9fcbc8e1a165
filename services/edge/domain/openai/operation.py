"""What the description of the API says of one endpoint: its body, its answers, and what it asks for."""

from dataclasses import dataclass
from typing import Final

from msgspec import Struct


@dataclass(frozen=True, slots=True)
class Operation:
    """An endpoint; bodies and answers by their types.

    `name` is what generated clients call it: OpenAI's own name where it has one. `event` is one event of
    the answer as a stream, `statuses` are those of its errors.
    """

    name: str
    summary: str
    answer: type[Struct] | None = None
    body: type[Struct] | None = None
    event: type[Struct] | None = None
    statuses: tuple[int, ...] = ()
    # What an answer with another status is, where it is no error.
    others: tuple[tuple[int, type[Struct]], ...] = ()
    # Of an answer that has no type: not JSON, or not ours.
    media_type: str = "application/json"
    # Whether a stream ends with `[DONE]`.
    has_done: bool = True

    @property
    def needs_key(self) -> bool:
        """Whether it asks for a key: what has no key cannot be refused one."""
        return 401 in self.statuses  # noqa: PLR2004 - a status


MODEL_STATUSES: Final = (401, 403, 421, 431, 500, 503, 504)
NAMED_MODEL_STATUSES: Final = (401, 403, 404, 421, 431, 500, 503, 504)
GENERATION_STATUSES: Final = (400, 401, 403, 404, 408, 413, 415, 421, 429, 431, 500, 503, 504)
