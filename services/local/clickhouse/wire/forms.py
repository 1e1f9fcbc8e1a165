"""Form bodies: how clients send long queries and their parameters beside the URL."""

from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl

from services.local.clickhouse.domain.errors import NOT_IMPLEMENTED, StoreError

_MAX_FIELDS = 1000


def is_form(content_type: str) -> bool:
    """Whether the body holds fields and not a query or data."""
    return content_type.lower().startswith("multipart/form-data")


def form_fields(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """The fields of a multipart form; StoreError for files, which this front takes no tables from."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    fields: list[tuple[str, str]] = []
    for part in list(message.iter_parts())[:_MAX_FIELDS]:
        name = part.get_param("name", header="content-disposition")
        if part.get_filename() is not None:
            raise StoreError.refused(NOT_IMPLEMENTED, "External tables are not supported.")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            fields.append((name, payload.decode("utf-8", "replace")))
    return fields


def url_fields(query_string: bytes) -> list[tuple[str, str]]:
    """The parameters of a URL, in order, empty ones too."""
    return parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
