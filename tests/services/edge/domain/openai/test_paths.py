import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.paths import CHAT_PATH, MODELS_PATH, PATHS, endpoint_of, served_path
from services.edge.domain.timeline import Endpoint


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
        ("/chat/completions/x", "/chat/completions/x"),
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


def test_every_endpoint_has_a_path_and_is_known_by_it() -> None:
    assert {endpoint_of(path): path for path in PATHS.values()} == dict(PATHS)
    assert {*PATHS, Endpoint.OTHER} == set(Endpoint)


@pytest.mark.parametrize(
    "path", ["/healthz", "/", "/v1", "/v1/chat/completions/x", "/v1/modelsx", "/v1/responses/resp_1"]
)
def test_what_is_no_part_of_the_api_is_of_no_endpoint(path: str) -> None:
    assert endpoint_of(path) is Endpoint.OTHER


def test_a_model_s_name_may_follow_the_models() -> None:
    assert endpoint_of("/v1/models/org/name") is Endpoint.MODELS
