"""What the tests of completions share: a plain one, and how one is refused."""

from typing import Any

import pytest

from services.edge.domain.openai.completions.request import parse_completion
from services.kernel.errors import ComptoirError

COMPLETION: dict[str, Any] = {"model": "tiny-eu", "prompt": "Il était"}


def refusal(**changes: object) -> ComptoirError:
    with pytest.raises(ComptoirError) as raised:
        parse_completion(COMPLETION | changes)
    return raised.value
