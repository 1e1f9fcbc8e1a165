import grpc
import pytest

from services.edge.adapters.call_errors import call_error, told
from services.edge.domain.openai.errors import error_json
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.quota import QuotaState
from services.runtime.grpc.status import trailing_metadata


def failure(error: ComptoirError) -> grpc.aio.AioRpcError:
    trailer = grpc.aio.Metadata(*trailing_metadata(error))
    return grpc.aio.AioRpcError(grpc.StatusCode.INVALID_ARGUMENT, grpc.aio.Metadata(), trailer)


@pytest.mark.parametrize(
    ("field", "param"),
    [("sampling.top_p", b'"top_p"'), ("max_output_tokens", b'"max_completion_tokens"'), ("api_key", b"null")],
)
def test_a_schemas_field_is_named_as_clients_spell_it(field: str, param: bytes) -> None:
    error = call_error(failure(ComptoirError(Reason.REQUEST_INVALID, field=field)), {})
    assert b'"param":' + param in error_json(error)


def test_what_says_nothing_of_the_request_is_replaced_with_all_that_it_says() -> None:
    given = ComptoirError(Reason.REQUEST_TOO_LARGE, field="model", retry_after_seconds=3)
    error = call_error(failure(given), {Reason.REQUEST_TOO_LARGE: Reason.UNAVAILABLE})
    assert (error.reason, error.field, error.retry_after_seconds) == (Reason.UNAVAILABLE, "", 0)


def test_calls_that_fail_together_have_an_error_each_that_says_the_same() -> None:
    shared = ComptoirError(
        Reason.TOKENS_EXHAUSTED,
        field="max_output_tokens",
        retry_after_seconds=2.5,
        numbers=Numbers(limit=7),
        quota=QuotaState(60, 58, 1_000, 300, 2.0, 42.0),
    )
    first, second = (told(shared, {}) for _ in range(2))
    assert len({id(error) for error in (shared, first, second)}) == 3
    assert vars(first) == vars(second) == vars(shared) | {"field": "max_completion_tokens"}
