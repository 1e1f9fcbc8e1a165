"""What an answer must be, whatever the model would say."""

from dataclasses import dataclass
from typing import Final

from services.contract.json_schema import KEYWORDS
from services.kernel.errors import ComptoirError, Reason

FIELD: Final = "structure.json_schema"


@dataclass(frozen=True, slots=True)
class Structure:
    """The answer is JSON that fits the schema `json_schema`, itself JSON."""

    json_schema: str


def refused(keyword: str = "") -> ComptoirError:
    """Returns the refusal of a schema: PARAMETER_UNSUPPORTED with the keyword, if it is one."""
    field = f"{FIELD}.{keyword}" if keyword in KEYWORDS else FIELD
    return ComptoirError(Reason.PARAMETER_UNSUPPORTED, field=field)
