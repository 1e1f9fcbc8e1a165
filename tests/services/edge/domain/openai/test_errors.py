import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.errors import (
    METHOD_NOT_ALLOWED,
    PUBLIC_ERRORS,
    error_headers,
    error_json,
    public_error,
    public_json,
    retry_headers,
)
from services.edge.domain.openai.public_names import EXPECTED
from services.edge.domain.timeline import Endpoint
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.quota import QuotaState


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
        (Reason.ANSWER_TOO_LARGE, 400, "invalid_request_error", "answer_too_large"),
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


def test_a_retryable_error_says_when() -> None:
    public = public_error(Reason.REQUESTS_EXHAUSTED)
    headers = dict(retry_headers(public, retry_after_seconds=1.25, is_spent=False))
    assert headers == {b"retry-after": b"2", b"retry-after-ms": b"1250", b"x-should-retry": b"true"}


@given(st.integers(1, 2**32 - 1))
def test_a_wait_is_the_same_in_every_header_and_never_shorter(milliseconds: int) -> None:
    public = public_error(Reason.TOKENS_EXHAUSTED)
    headers = dict(retry_headers(public, retry_after_seconds=milliseconds / 1000, is_spent=False))
    assert headers[b"retry-after-ms"] == b"%d" % milliseconds
    assert 0 <= int(headers[b"retry-after"]) * 1000 - milliseconds < 1000


def test_the_client_does_not_repeat_what_the_edge_repeated_or_what_cannot_help() -> None:
    unavailable, internal = public_error(Reason.UNAVAILABLE), public_error(Reason.INTERNAL)
    assert retry_headers(unavailable, retry_after_seconds=0, is_spent=True) == [(b"x-should-retry", b"false")]
    assert retry_headers(internal, retry_after_seconds=0, is_spent=False) == [(b"x-should-retry", b"false")]


def test_a_refusal_of_the_request_itself_says_nothing_of_retries() -> None:
    public = public_error(Reason.REQUEST_INVALID)
    assert retry_headers(public, retry_after_seconds=0, is_spent=False) == []


def test_http_refusals_have_the_same_shape() -> None:
    assert json.loads(public_json(METHOD_NOT_ALLOWED))["error"]["code"] == "method_not_allowed"


def message_of(
    reason: Reason, limit: int = 0, requested: int = 0, available: int = 0, after: float = 0.0
) -> str:
    error = ComptoirError(reason, numbers=Numbers(limit, requested, available), retry_after_seconds=after)
    return str(json.loads(error_json(error))["error"]["message"])


def test_an_overflow_is_told_in_the_words_that_programs_look_for() -> None:
    assert message_of(Reason.CONTEXT_TOO_LONG, 2048, 3000) == (
        "This model's maximum context length is 2048 tokens. However, your messages resulted in 3000 tokens, "
        "and an answer needs at least 1 more. Please reduce the length of the messages."
    )
    assert message_of(Reason.CONTEXT_TOO_LONG, 2048) == (
        "This model's maximum context length is 2048 tokens. Please reduce the length of the messages."
    )
    # An older router says no numbers.
    assert "maximum context length" in message_of(Reason.CONTEXT_TOO_LONG)


def test_a_quota_that_can_never_hold_a_request_says_what_to_set() -> None:
    assert message_of(Reason.QUOTA_TOO_SMALL, 1000, 1500, 200) == (
        "Request too large for this API key on tokens per min (TPM): Limit 1000, Requested 1500, "
        "where each byte of the messages counts as a token until they are tokenized. "
        "Set max_completion_tokens to at most 200, or shorten the messages."
    )
    assert "Please reduce the length of the messages" in message_of(Reason.QUOTA_TOO_SMALL, 1000, 1500, 0)
    assert public_error(Reason.QUOTA_TOO_SMALL).status == 400
    assert error_headers(ComptoirError(Reason.QUOTA_TOO_SMALL), is_spent=False) == []


@pytest.mark.parametrize(
    ("reason", "field"), [(Reason.REQUEST_INVALID, "min_tokens"), (Reason.PARAMETER_UNSUPPORTED, "tools")]
)
def test_a_parameter_beyond_a_bound_that_others_know_is_told_its_numbers(reason: Reason, field: str) -> None:
    error = ComptoirError(reason, field=field, numbers=Numbers(5, 10))
    assert json.loads(error_json(error))["error"]["message"].endswith(
        ". The limit here is 5, and 10 was sent."
    )


@pytest.mark.parametrize("field", ["prompt", "messages"])
def test_a_count_is_told_of_what_it_was_sent_and_of_no_answer(field: str) -> None:
    error = ComptoirError(Reason.CONTEXT_TOO_LONG, field=field, numbers=Numbers(2048, 3000))
    told = json.loads(error_json(error, Endpoint.TOKENIZE))["error"]
    assert told["param"] == field
    assert told["message"] == (
        f"This model's maximum context length is 2048 tokens. However, your {field} resulted in 3000 tokens. "
        f"Please reduce the length of the {field}."
    )


def test_a_spent_quota_says_what_is_left_in_headers_too() -> None:
    quota = QuotaState(60, 0, 1000, 900, 1.0, 0.02)
    error = ComptoirError(Reason.REQUESTS_EXHAUSTED, retry_after_seconds=1.0, quota=quota)
    headers = dict(error_headers(error, is_spent=False))
    assert headers[b"retry-after"] == b"1"
    assert headers[b"x-ratelimit-remaining-requests"] == b"0"
    assert headers[b"x-ratelimit-limit-tokens"] == b"1000"


def test_a_body_that_is_too_large_says_how_large_it_may_be() -> None:
    assert "larger than 1048576 bytes" in message_of(Reason.REQUEST_TOO_LARGE, 1_048_576)


def test_an_answer_that_is_too_large_says_how_large_it_may_be_and_what_helps() -> None:
    error = ComptoirError(Reason.ANSWER_TOO_LARGE, numbers=Numbers(1_048_576))
    chat = json.loads(error_json(error))["error"]["message"]
    assert chat == (
        "The answer is larger than the 1048576 bytes that are held until it is whole. "
        "Set stream to true, ask for fewer logprobs or choices, or lower max_completion_tokens."
    )
    told = json.loads(error_json(error, Endpoint.RESPONSES))["error"]["message"]
    assert "stream" not in told
    assert "lower max_output_tokens" in told


@given(st.sampled_from(list(Reason)), *[st.integers(0, 2**64 - 1)] * 3, st.floats(0, 2**32 / 1000))
def test_any_numbers_make_a_sentence(reason: Reason, limit: int, asked: int, left: int, after: float) -> None:
    assert message_of(reason, limit, asked, left, after=after).endswith(".")


@pytest.mark.parametrize(
    "reason", [Reason.CONTEXT_TOO_LONG, Reason.QUOTA_TOO_SMALL, Reason.REQUEST_TOO_LARGE]
)
@pytest.mark.parametrize("available", [0, 5])
def test_a_completion_is_told_of_its_prompt_and_not_of_messages(reason: Reason, available: int) -> None:
    error = ComptoirError(reason, field="messages", numbers=Numbers(10, 20, available))
    told = json.loads(error_json(error, Endpoint.COMPLETIONS))["error"]
    assert "prompt" in told["message"]
    assert "message" not in told["message"]
    assert "max_completion_tokens" not in told["message"]
    assert told["param"] in ("prompt", None)


def test_a_request_that_finds_no_room_is_told_its_blocks_and_a_replicas_and_what_makes_them_fewer() -> None:
    error = ComptoirError(Reason.REPLICA_OVERLOADED, numbers=Numbers(limit=64, requested=40))
    message = json.loads(error_json(error, Endpoint.RESPONSES))["error"]["message"]
    assert "expected to fill 40 of the 64 blocks of a replica's KV cache" in message
    assert message.endswith("or shorten the input or lower max_output_tokens: it then needs fewer.")
    full = json.loads(error_json(ComptoirError(Reason.REPLICA_OVERLOADED)))["error"]["message"]
    assert "blocks" not in full
