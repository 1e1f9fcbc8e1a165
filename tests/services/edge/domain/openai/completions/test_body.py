import pytest

from services.edge.domain.openai.completions.body import CompletionBody
from services.edge.domain.openai.public_names import expectation
from services.edge.domain.timeline import Endpoint


@pytest.mark.parametrize("name", CompletionBody.__struct_fields__)
def test_every_field_says_what_it_must_be(name: str) -> None:
    assert expectation(name, Endpoint.COMPLETIONS)
    assert getattr(CompletionBody(), name) is None
