import pytest

from services.edge.domain.openai.public_names import expectation
from services.edge.domain.openai.responses.body import ResponsesBody
from services.edge.domain.timeline import Endpoint


@pytest.mark.parametrize("name", ResponsesBody.__struct_fields__)
def test_every_field_says_what_it_must_be(name: str) -> None:
    assert expectation(name, Endpoint.RESPONSES)
    assert getattr(ResponsesBody(), name) is None
