import pytest
from msgspec import Struct

from services.edge.domain.openai.chat.body import ChatBody, ChatMessage, StreamOptions
from services.edge.domain.openai.public_names import EXPECTED


@pytest.mark.parametrize(
    ("body", "path"), [(ChatBody, ""), (ChatMessage, "messages[]."), (StreamOptions, "stream_options.")]
)
def test_every_field_says_what_it_must_be(body: type[Struct], path: str) -> None:
    assert [name for name in body.__struct_fields__ if path + name not in EXPECTED] == []
    assert body() == body(**dict.fromkeys(body.__struct_fields__))
