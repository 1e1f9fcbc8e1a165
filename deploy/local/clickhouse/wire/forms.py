"""Fields of URLs and form bodies: how clients send settings, parameters and long queries."""

from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from deploy.local.clickhouse.domain.errors import BAD_ARGUMENTS, NOT_IMPLEMENTED, StoreError

MAX_FIELDS: Final = 1000


def is_form(content_type: str) -> bool:
    """Returns whether the body holds fields and not a query or data."""
    return content_type.lower().startswith("multipart/form-data")


async def form_fields(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """Returns the fields of a multipart form; StoreError for files, which this front takes no tables from."""
    headers = Headers({"content-type": content_type})
    parser = MultiPartParser(
        headers, _once(body), max_files=0, max_fields=MAX_FIELDS, max_part_size=len(body) + 1
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise _refused(error.message) from None
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


def url_fields(query_string: bytes) -> list[tuple[str, str]]:
    """Returns the parameters of a URL, in order, empty ones too; StoreError if they are too many."""
    try:
        return parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise StoreError.refused(BAD_ARGUMENTS, f"The URL has more than {MAX_FIELDS} parameters.") from None


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


def _refused(message: str) -> StoreError:
    # The parser's words are its own; they repeat nothing of the form.
    if message.startswith("Too many files"):
        return StoreError.refused(NOT_IMPLEMENTED, "External tables are not supported.")
    if message.startswith("Too many fields"):
        return StoreError.refused(BAD_ARGUMENTS, f"The form has more than {MAX_FIELDS} fields.")
    return StoreError.refused(BAD_ARGUMENTS, "The form is not valid multipart/form-data.")
