"""The one exception that carries a reason, and what it says in numbers."""

from dataclasses import dataclass
from typing import Final

from services.kernel.quota import QuotaState
from services.kernel.reasons import Reason

__all__ = ["KEY_REFUSALS", "ComptoirError", "Numbers", "Reason", "forget_frames"]

# What whoever has no usable key can have said as often as it asks.
KEY_REFUSALS: Final = frozenset(
    {
        Reason.KEY_INVALID,
        Reason.KEY_EXPIRED,
        Reason.KEY_DISABLED,
        Reason.TENANT_DISABLED,
        Reason.TOO_MANY_WRONG_KEYS,
        Reason.WRONG_REGION,
    }
)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a refusal says in numbers, in the unit of its reason; 0 where there is nothing to say.

    Money is in hundredths of the unit of `currency`, which is the catalog's and empty for anything else.
    `is_of_tenant` says that the limit is that of the key's tenant, not its own. `resets_at_seconds` is the
    Unix time when the day or the month ends whose quota is used up. `limited_by` is the reason of the limit
    that a QUOTA_TOO_SMALL is of, in whose unit its numbers are.
    """

    limit: int = 0
    requested: int = 0
    available: int = 0
    is_of_tenant: bool = False
    resets_at_seconds: int = 0
    currency: str = ""
    limited_by: Reason = Reason.UNSPECIFIED


class ComptoirError(Exception):
    """A refusal or failure with a public reason; its text is the reason's name and nothing else.

    `field` is the schema's name of the field that broke a rule, never a value or a
    name that the caller chose. `retry_after_seconds` is 0 where nothing is known.
    `quota` is the key's quota at the refusal, where a quota is the reason.
    `base_url` is the catalog's, where the request belongs at another region.
    """

    def __init__(
        self,
        reason: Reason,
        *,
        field: str = "",
        retry_after_seconds: float = 0.0,
        numbers: Numbers = Numbers(),
        quota: QuotaState | None = None,
        base_url: str = "",
    ) -> None:
        super().__init__(reason.name)
        self.reason = reason
        self.field = field
        self.retry_after_seconds = retry_after_seconds
        self.numbers = numbers
        self.quota = quota
        self.base_url = base_url
        # By which record the region would have served what it refused, and whose home; who knows, says so.
        self.transfer_record = 0
        self.home_region = 0

    @property
    def is_of_tenant(self) -> bool:
        """Tells whether the limit is that of the key's tenant, which all of its keys share."""
        return self.numbers.is_of_tenant


def forget_frames(error: BaseException) -> None:
    """Lets go of the frames that an error and those behind it came through, once it is told and logged.

    What a request brought is in them. A frame that waits for a task has the task, which has the error: a
    circle, so all of it would stay until the collector comes by, which then has that much to look through.
    """
    found: list[BaseException] = [error]
    # One that was raised from another stands behind it twice, and may stand behind itself.
    seen = {id(error)}
    for each in found:
        each.__traceback__ = None
        within = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        for behind in (each.__cause__, each.__context__, *within):
            if behind is not None and id(behind) not in seen:
                seen.add(id(behind))
                # It grows meanwhile.
                found.append(behind)
