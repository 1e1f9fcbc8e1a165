from collections.abc import Callable
from typing import NoReturn

import pytest

from services.edge.domain.openai.errors import error_json
from services.edge.domain.openai.refusals import invalid, unsupported
from services.kernel.errors import ComptoirError


@pytest.mark.parametrize(
    ("refuse", "code"), [(invalid, b"invalid_value"), (unsupported, b"unsupported_parameter")]
)
def test_a_client_reads_which_parameter_is_refused_and_how(
    refuse: Callable[[str], NoReturn], code: bytes
) -> None:
    with pytest.raises(ComptoirError) as raised:
        refuse("top_p")
    assert b'"param":"top_p","code":"%b"' % code in error_json(raised.value)
