"""The tables of fields beyond the types name fields that there are, and none twice."""

import pytest
from msgspec import Struct

from services.edge.domain.openai.understood import REQUIRED, UNDERSTOOD


@pytest.mark.parametrize("body", UNDERSTOOD)
def test_a_field_is_in_the_type_or_in_the_table_beside_it(body: type[Struct]) -> None:
    assert not set(body.__struct_fields__) & set(UNDERSTOOD[body])


@pytest.mark.parametrize("body", REQUIRED)
def test_what_is_required_is_a_field_of_the_type(body: type[Struct]) -> None:
    assert set(REQUIRED[body]) <= set(body.__struct_fields__)
