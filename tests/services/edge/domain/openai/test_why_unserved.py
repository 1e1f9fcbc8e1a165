"""What is refused or ignored of OpenAI's parameters has a reason, and no reason is of another one."""

import pytest

from services.edge.domain.openai.parameters import IGNORED
from services.edge.domain.openai.understood import UNDERSTOOD
from services.edge.domain.openai.why_unserved import WHY_UNSERVED, why_ignored, why_refused

REFUSED = {name for neutral in UNDERSTOOD.values() for name in neutral}


@pytest.mark.parametrize("name", WHY_UNSERVED)
def test_a_reason_is_of_something_that_is_refused_or_ignored(name: str) -> None:
    assert name in REFUSED | IGNORED


def test_a_parameter_that_nobody_knows_has_no_reason() -> None:
    assert why_refused("kanarienvogel") is None
    assert why_ignored("kanarienvogel") is None


def test_what_is_refused_is_not_called_ignored() -> None:
    assert why_ignored("store") is None
    assert why_ignored("user") is not None
