import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.paths import CHAT_PATH, MODELS_PATH, served_path


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/chat/completions", CHAT_PATH),
        ("/chat/completions", CHAT_PATH),
        ("//chat/completions", CHAT_PATH),
        ("/v1//chat/completions", CHAT_PATH),
        ("/v1/v1/chat/completions", CHAT_PATH),
        ("/v1/chat/completions/", CHAT_PATH),
        ("/v1/models", MODELS_PATH),
        ("//models", MODELS_PATH),
        ("/v1//models", MODELS_PATH),
        ("/v1/v1//models/", MODELS_PATH),
        ("/models/org/name", "/v1/models/org/name"),
        ("/v1/models/v1/v1", "/v1/models/v1/v1"),
        ("/healthz", "/healthz"),
        ("/healthz/", "/healthz"),
        ("/", "/"),
        ("//", "/"),
        ("/v2/models", "/v2/models"),
        ("/modelsx", "/modelsx"),
        ("/v1", "/v1"),
    ],
)
def test_what_a_base_url_makes_of_a_path_is_understood(path: str, meant: str) -> None:
    assert served_path(path) == meant


@given(st.lists(st.sampled_from(["/", "v1", "models", "chat", "completions", "a", "%"]), max_size=12))
def test_what_is_understood_is_understood_again(parts: list[str]) -> None:
    once = served_path("/" + "".join(parts))
    assert served_path(once) == once
    assert once.startswith("/")
    assert "//" not in once
