"""Log lines for people."""

from hypothesis import given
from hypothesis import strategies as st

from services.runtime.log_lines import readable, readable_line


def test_a_line_has_its_time_event_and_fields_and_no_more_than_people_read() -> None:
    fields = {
        "timestamp": "2026-11-25T14:03:12.123456Z",
        "level": "info",
        "event": "request",
        "process": "edge",
        "module": "services.edge.adapters.request_log",
        "route": "/v1/models",
        "http_status": 200,
        "duration_seconds": 0.0123456,
    }
    assert readable(fields) == "14:03:12.123 request duration_seconds=0.012 http_status=200 route=/v1/models"


def test_a_failure_ends_with_its_place() -> None:
    line = (
        '{"level": "error", "event": "failed", "module": "services.x", "line": 7, "error_type": "KeyError"}'
    )
    assert readable_line(line) == "error failed error_type=KeyError at services.x:7"


@given(line=st.text(max_size=50))
def test_a_line_that_is_no_log_line_stays_as_it_is(line: str) -> None:
    assert readable_line(line) == line


def test_json_that_is_no_log_line_stays_as_it_is() -> None:
    for line in ("7", "[]", "{}", '{"level": "info"}'):
        assert readable_line(line) == line
