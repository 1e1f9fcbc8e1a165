import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.errors import (
    METHOD_NOT_ALLOWED,
    PUBLIC_ERRORS,
    error_json,
    public_error,
    public_json,
    retry_headers,
)
from services.edge.domain.parameters import EXPECTED
from services.runtime.errors import ComptoirError, Reason


def test_every_reason_has_a_public_face() -> None:
    assert set(PUBLIC_ERRORS) == set(Reason)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_error_has_openais_shape(reason: Reason) -> None:
    body = json.loads(error_json(ComptoirError(reason)))
    assert list(body) == ["error"]
    assert list(body["error"]) == ["message", "type", "param", "code"]
    assert isinstance(body["error"]["code"], str)
    assert body["error"]["message"].endswith(".")
    assert 400 <= public_error(reason).status <= 504


@pytest.mark.parametrize(
    ("reason", "status", "kind", "code"),
    [
        (Reason.KEY_INVALID, 401, "invalid_request_error", "invalid_api_key"),
        (Reason.MODEL_NOT_FOUND, 404, "invalid_request_error", "model_not_found"),
        (Reason.CONTEXT_TOO_LONG, 400, "invalid_request_error", "context_length_exceeded"),
        (Reason.REQUESTS_EXHAUSTED, 429, "requests", "rate_limit_exceeded"),
        (Reason.TOKENS_EXHAUSTED, 429, "tokens", "rate_limit_exceeded"),
        (Reason.REQUEST_TOO_LARGE, 413, "invalid_request_error", "request_too_large"),
        (Reason.INTERNAL, 500, "server_error", "internal_error"),
    ],
)
def test_codes_that_programs_branch_on(reason: Reason, status: int, kind: str, code: str) -> None:
    public = public_error(reason)
    assert (public.status, public.type, public.code) == (status, kind, code)


@given(st.sampled_from(list(Reason)), st.text(min_size=1))
def test_a_field_that_is_not_ours_never_shows(reason: Reason, field: str) -> None:
    if field in EXPECTED:
        return
    canary = f"{field}-canary"
    assert error_json(ComptoirError(reason, field=canary)) == error_json(ComptoirError(reason))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_parameter_of_ours_is_named_with_what_it_must_be(name: str) -> None:
    field = name.replace("[]", "[17]")
    error = json.loads(error_json(ComptoirError(Reason.REQUEST_INVALID, field=field)))["error"]
    assert error["param"] == field
    assert EXPECTED[name] in error["message"]


def test_a_schemas_field_is_named_as_clients_spell_it() -> None:
    error = ComptoirError(Reason.REQUEST_INVALID, field="sampling.top_p")
    assert json.loads(error_json(error))["error"]["param"] == "top_p"


def test_a_retryable_error_says_when() -> None:
    public = public_error(Reason.REQUESTS_EXHAUSTED)
    headers = dict(retry_headers(public, retry_after_seconds=1.25, is_spent=False))
    assert headers == {b"retry-after": b"2", b"retry-after-ms": b"1250", b"x-should-retry": b"true"}


def test_the_client_does_not_repeat_what_the_edge_repeated_or_what_cannot_help() -> None:
    unavailable, internal = public_error(Reason.UNAVAILABLE), public_error(Reason.INTERNAL)
    assert retry_headers(unavailable, retry_after_seconds=0, is_spent=True) == [(b"x-should-retry", b"false")]
    assert retry_headers(internal, retry_after_seconds=0, is_spent=False) == [(b"x-should-retry", b"false")]


def test_a_refusal_of_the_request_itself_says_nothing_of_retries() -> None:
    public = public_error(Reason.REQUEST_INVALID)
    assert retry_headers(public, retry_after_seconds=0, is_spent=False) == []


def test_http_refusals_have_the_same_shape() -> None:
    assert json.loads(public_json(METHOD_NOT_ALLOWED))["error"]["code"] == "method_not_allowed"
