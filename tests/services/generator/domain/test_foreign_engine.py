"""A server is told of so that no prompt leaves in plaintext, and tenants stay apart."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.generator.domain.foreign_engine import OpenAiServerParameters, PrefixCache, ServerKind


def told(**changes: Any) -> OpenAiServerParameters:
    return OpenAiServerParameters.model_validate(changes)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000",
        "http://localhost:8000",
        "http://[::1]:8000",
        "https://gpu-7.paris.example:8443/engine",
        "unix:///run/vllm/http.sock",
    ],
)
def test_loopback_a_socket_and_tls_are_safe(url: str) -> None:
    assert told(url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://gpu-7.paris.example:8000",
        "http://10.0.0.7:8000",
        "http://127.0.0.1.example:8000",
        "ftp://127.0.0.1",
        "127.0.0.1:8000",
        "unix://run/vllm.sock",
        "https://user:secret@gpu-7.example",
        "https://gpu-7.example?key=secret",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        told(url=url)


def test_an_engine_that_cannot_keep_prefixes_apart_needs_no_cache_or_one_tenant() -> None:
    for kind in ServerKind:
        assert told(kind=kind).keeps_tenants_apart == (kind is not ServerKind.TENSORRT_LLM)
        assert told(kind=kind, prefix_cache=PrefixCache.OFF).keeps_tenants_apart
        assert not told(kind=kind, prefix_cache=PrefixCache.ONE_TENANT).keeps_tenants_apart


def test_vectors_are_had_of_the_kinds_that_were_tried_and_their_inputs_are_kept_apart() -> None:
    makers = {kind for kind in ServerKind if told(kind=kind).makes_vectors}
    assert makers == {ServerKind.LLAMA_CPP}
    # It takes no word on its cache with an input.
    assert not told(kind=ServerKind.LLAMA_CPP).keeps_inputs_apart
    for kind in makers:
        assert told(kind=kind, prefix_cache=PrefixCache.OFF).keeps_inputs_apart
        assert not told(kind=kind, prefix_cache=PrefixCache.ONE_TENANT).keeps_inputs_apart
