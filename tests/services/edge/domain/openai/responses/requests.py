"""What the tests of responses share: a plain request, a function, and how one is refused."""

from typing import Any

import pytest

from services.edge.domain.openai.responses.request import parse_response
from services.kernel.errors import ComptoirError

REQUEST: dict[str, Any] = {"model": "tiny-eu", "input": "Bonjour"}
TIME: dict[str, Any] = {"type": "function", "name": "time"}
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "description": "Le temps",
    "parameters": {"type": "object"},
    "strict": False,
}


def refusal(**changes: object) -> ComptoirError:
    with pytest.raises(ComptoirError) as raised:
        parse_response(REQUEST | changes)
    return raised.value
