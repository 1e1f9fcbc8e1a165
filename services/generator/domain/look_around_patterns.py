"""Patterns that look around, as zod and pydantic write them, in words that do not: the engine cannot.

What matches the pattern that stands for another matches that one too.
"""

from types import MappingProxyType
from typing import Final

_LABEL: Final = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_SECONDS: Final = r"[0-9]+(?:[.,][0-9]+)?S"
_TIME: Final = rf"T(?:[0-9]+H(?:[0-9]+M)?(?:{_SECONDS})?|[0-9]+M(?:{_SECONDS})?|{_SECONDS})"
_DAYS: Final = r"(?:[0-9]+Y(?:[0-9]+M)?(?:[0-9]+D)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)"

WITHOUT_LOOKING: Final = MappingProxyType(
    {
        # pydantic's `Decimal`, up to its version 2.13.
        r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$": r"^[+-]?[0-9]+(?:\.[0-9]*)?$",
        # zod's `z.email()`, in two versions.
        r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$": (
            r"^[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z]{2,}$"
        ),
        # zod's `z.iso.duration()`.
        r"^P(?:(\d+W)|(?!.*W)(?=\d|T\d)(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+([.,]\d+)?S)?)?)$": (
            rf"^P(?:[0-9]+W|{_DAYS}(?:{_TIME})?|{_TIME})$"
        ),
        # zod's `z.hostname()`; three labels are never longer than a name may be.
        r"^(?=.{1,253}\.?$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[-0-9a-zA-Z]{0,61}[0-9a-zA-Z])?)*\.?$": (  # noqa: E501 - as it is written there
            rf"^{_LABEL}(?:\.{_LABEL}){{0,2}}$"
        ),
        # zod's `z.emoji()`.
        r"^(?=[\s\S]*[\p{Extended_Pictographic}\p{Regional_Indicator}\u20E3])[\p{Extended_Pictographic}\p{Emoji_Component}]+$": (  # noqa: E501 - as it is written there
            r"^\p{Extended_Pictographic}[\p{Extended_Pictographic}\p{Emoji_Component}]*$"
        ),
    }
)
