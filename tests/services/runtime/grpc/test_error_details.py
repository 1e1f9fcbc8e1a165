"""An error says the same in our schema and in Google's, and comes back from ours."""

from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.runtime.grpc.error_details import detail_from, error_of
from services.runtime.grpc.status import STATUS, STATUS_KEY, trailing_metadata


@given(
    reason=st.sampled_from(Reason),
    field=st.text(alphabet="abc_.[]0", max_size=30),
    after=st.integers(0, 2**40),
    numbers=st.builds(
        Numbers,
        *[st.integers(0, 2**64 - 1)] * 3,
        is_of_tenant=st.booleans(),
        resets_at_seconds=st.integers(0, 2**64 - 1),
        currency=st.sampled_from(["", "EUR"]),
        limited_by=st.sampled_from(Reason),
    ),
    message=st.sampled_from(["", "internal error: KeyError"]),
)
def test_both_ways_of_saying_an_error_agree(
    reason: Reason, field: str, after: int, numbers: Numbers, message: str
) -> None:
    error = ComptoirError(reason, field=field, retry_after_seconds=after / 1000, numbers=numbers)
    status = Status.FromString(dict(trailing_metadata(error, message))[STATUS_KEY])
    detail = detail_from(error)
    info, retry = ErrorInfo(), RetryInfo()
    assert status.details[0].Unpack(info)
    assert all(detail.Unpack(retry) for detail in status.details[1:])
    assert (status.code, status.message) == (STATUS[reason].value[0], message or reason.name)
    assert (info.reason, info.metadata["field"]) == (reason.name, field)
    assert int(info.metadata["limit"] or "0") == detail.limit
    assert int(info.metadata["requested"] or "0") == detail.requested
    assert int(info.metadata["available"] or "0") == detail.available
    assert (info.metadata["is_of_tenant"] == "true") == detail.is_of_tenant
    assert int(info.metadata["resets_at_seconds"] or "0") == detail.resets_at_seconds
    assert info.metadata["currency"] == detail.currency
    assert info.metadata["limited_by"] == (numbers.limited_by.name if numbers.limited_by else "")
    assert retry.retry_delay.ToMilliseconds() == detail.retry_after_milliseconds
    back = error_of(detail)
    assert back is not None
    assert (back.numbers, back.is_of_tenant) == (numbers, numbers.is_of_tenant)


def test_an_error_of_each_reason_comes_back_from_its_detail() -> None:
    for reason in Reason:
        back = error_of(detail_from(ComptoirError(reason, field="messages")))
        assert back is not None
        assert (back.reason, back.field) == (reason, "messages")


def test_what_an_error_says_grows_with_its_fields_name_and_no_faster() -> None:
    def size(length: int) -> int:
        error = ComptoirError(Reason.REQUEST_INVALID, field="a" * length)
        return sum(len(value) for _, value in trailing_metadata(error))

    assert size(2000) - size(1000) <= 2 * 1000 + 16
