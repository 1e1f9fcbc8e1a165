"""What an answer must be, whatever the model would say."""

from dataclasses import dataclass
from typing import Final

from services.contract.json_schema import KEYWORDS
from services.kernel.errors import ComptoirError, Reason

FIELD: Final = "structure.json_schema"


@dataclass(frozen=True, slots=True)
class Structure:
    """The answer is JSON that fits `json_schema`, itself JSON, or fits `grammar`, in llguidance's Lark."""

    json_schema: str = ""
    grammar: str = ""


def refused(keyword: str = "", field: str = FIELD) -> ComptoirError:
    """Returns the refusal of a schema in `field`: PARAMETER_UNSUPPORTED with the keyword, if it is one."""
    named = f"{field}.{keyword}" if keyword in KEYWORDS else field
    return ComptoirError(Reason.PARAMETER_UNSUPPORTED, field=named)
