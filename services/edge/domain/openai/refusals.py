"""How a parameter is refused: by its name, never with its value."""

from collections.abc import Mapping
from typing import Any, NoReturn

from services.kernel.errors import ComptoirError, Reason

# A JSON object as the decoder gives it: any value of any type may stand in it.
JsonObject = Mapping[str, Any]


def invalid(name: str) -> NoReturn:
    """Refuses: the parameter `name` is missing, of another type or out of range."""
    raise ComptoirError(Reason.REQUEST_INVALID, field=name)


def unsupported(name: str) -> NoReturn:
    """Refuses: the parameter `name` is known and not served."""
    raise ComptoirError(Reason.PARAMETER_UNSUPPORTED, field=name)
