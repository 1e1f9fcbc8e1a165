"""The one exception that carries a reason, and what it says in numbers."""

from dataclasses import dataclass

from services.kernel.quota import QuotaState
from services.kernel.reasons import Reason

__all__ = ["ComptoirError", "Numbers", "Reason"]


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a refusal says in numbers, in the unit of its reason; 0 where there is nothing to say."""

    limit: int = 0
    requested: int = 0
    available: int = 0


class ComptoirError(Exception):
    """A refusal or failure with a public reason; its text is the reason's name and nothing else.

    `field` is the schema's name of the field that broke a rule, never a value or a
    name that the caller chose. `retry_after_seconds` is 0 where nothing is known.
    `quota` is the key's quota at the refusal, where a quota is the reason.
    """

    def __init__(
        self,
        reason: Reason,
        *,
        field: str = "",
        retry_after_seconds: float = 0.0,
        numbers: Numbers = Numbers(),
        quota: QuotaState | None = None,
    ) -> None:
        super().__init__(reason.name)
        self.reason = reason
        self.field = field
        self.retry_after_seconds = retry_after_seconds
        self.numbers = numbers
        self.quota = quota
