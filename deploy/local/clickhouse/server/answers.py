"""How answers look: ClickHouse's headers, errors and content types."""

import json
import secrets
import string
from typing import Final

from starlette.responses import Response

from deploy.local.clickhouse.domain.errors import StoreError, http_status
from deploy.local.clickhouse.domain.ports import Answer

DISPLAY_NAME: Final = "comptoir"
_CONTENT_TYPES: Final = {
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "CSVWithNamesAndTypes": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "JSONCompactEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
}
_TAG_SIGNS: Final = string.ascii_lowercase
_BINARY: Final = (
    "Native",
    "RowBinary",
    "Parquet",
    "Arrow",
    "ORC",
    "Avro",
    "MsgPack",
    "Protobuf",
    "BSON",
    "Npy",
)


def content_type(output_format: str) -> str:
    """Returns the content type of a format, as ClickHouse sends it."""
    if output_format.startswith(_BINARY):
        return "application/octet-stream"
    return _CONTENT_TYPES.get(output_format, "text/plain; charset=UTF-8")


def answer_headers(query_id: str, timezone: str, output_format: str = "") -> dict[str, str]:
    """Returns the headers of every answer to a query."""
    headers = {
        "X-ClickHouse-Server-Display-Name": DISPLAY_NAME,
        "X-ClickHouse-Query-Id": query_id,
        "X-ClickHouse-Timezone": timezone,
    }
    if output_format:
        headers["X-ClickHouse-Format"] = output_format
        headers["Content-Type"] = content_type(output_format)
    return headers


def summary(answer: Answer) -> str:
    """Returns the X-ClickHouse-Summary of an answer; every number is a string there."""
    return json.dumps(
        {
            "read_rows": str(answer.read_rows),
            "read_bytes": str(answer.read_bytes),
            "written_rows": str(answer.written_rows),
            "written_bytes": str(answer.written_bytes),
            "total_rows_to_read": "0",
            "result_rows": str(answer.result_rows),
            "result_bytes": str(len(answer.body)),
            "elapsed_ns": str(int(answer.elapsed_seconds * 1e9)),
        },
        separators=(",", ":"),
    )


def error_text(error: StoreError, version: str) -> str:
    """Returns the one line of an error, with the version where the engine left it out."""
    message = error.message.rstrip()
    return f"{message}\n" if "(version " in message else f"{message} (version {version})\n"


def error_response(error: StoreError, version: str, headers: dict[str, str] | None = None) -> Response:
    """Returns an error before the first byte of a result."""
    status = http_status(error.code)
    extra = {"WWW-Authenticate": 'Basic realm="ClickHouse"'} if status == 401 else {}  # noqa: PLR2004
    return Response(
        error_text(error, version),
        status_code=status,
        headers={
            **(headers or {}),
            **extra,
            "Content-Type": "text/plain; charset=UTF-8",
            "X-ClickHouse-Exception-Code": str(error.code),
        },
    )


def exception_tag() -> str:
    """Returns a fresh tag that marks an error inside a result that already began."""
    return "".join(secrets.choice(_TAG_SIGNS) for _ in range(16))


def late_error(error: StoreError, version: str, tag: str) -> bytes:
    """Returns an error after the first byte, as ClickHouse frames it at the end of the body."""
    message = error_text(error, version).encode()
    head, foot = f"\r\n__exception__\r\n{tag}\r\n", f"{len(message)} {tag}\r\n__exception__\r\n"
    return head.encode() + message + foot.encode()
