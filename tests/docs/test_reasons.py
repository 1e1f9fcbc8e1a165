"""What the page about errors says of each of them is what the rows of the reasons say."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.kernel.reasons import Reason
from services.kernel.rows import Retry

PAGE = Path(__file__).resolve().parents[2] / "docs" / "openai-compatibility.md"
ERROR = re.compile(r"^\| ([0-9, ]+) \| ((?:`\w+`(?:, )?)+) \|.*\| (yes|no)\b[^|]*\|$", re.MULTILINE)
# A client that left reads nothing, and the others answer administrators, over gRPC.
UNSEEN = {
    Reason.CLIENT_CANCELLED,
    Reason.NOT_FOUND,
    Reason.ALREADY_EXISTS,
    Reason.TENANT_HAS_KEYS,
    Reason.OVERLAP_NOT_OVER,
}


def told() -> Iterator[tuple[str, set[int], bool]]:
    """Of each code in the table: the code, its statuses, and whether to try again."""
    for statuses, codes, again in ERROR.findall(PAGE.read_text(encoding="utf-8")):
        for code in re.findall(r"`(\w+)`", codes):
            yield code, {int(status) for status in statuses.split(",")}, again == "yes"


@pytest.mark.parametrize("reason", sorted(set(Reason) - UNSEEN))
def test_the_table_of_errors_has_each_code_with_its_status_and_retry(reason: Reason) -> None:
    row = reason.row
    assert [(row.http_status in statuses, again) for code, statuses, again in told() if code == row.code] == [
        (True, row.retry is not Retry.NEVER)
    ]


def test_the_page_says_in_one_sentence_which_type_goes_with_which_status() -> None:
    for reason in Reason:
        row = reason.row
        if row.http_status < 429:
            assert row.type == "invalid_request_error"
        if row.http_status >= 500:
            assert row.type == "server_error"
