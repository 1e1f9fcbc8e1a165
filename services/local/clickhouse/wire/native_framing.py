"""Native blocks as clients that state a protocol version expect them: with the fields that version added."""

import struct
from collections.abc import Iterator
from typing import Final

from services.local.clickhouse.domain.errors import UNKNOWN_EXCEPTION, StoreError
from services.local.clickhouse.wire.native_columns import ColumnWalk

NATIVE_FORMAT: Final = "Native"
# Of ClickHouse's `ProtocolDefines.h`: since when a column says whether its serialization is a special one.
_CUSTOM_SERIALIZATION_SINCE: Final = 54454
# BlockInfo: field 1, no overflow rows; field 2, bucket -1; end.
_BLOCK_INFO: Final = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_USUAL_SERIALIZATION: Final = b"\x00"


def framed(body: bytes, protocol_version: int) -> bytes:
    """Returns Native blocks, as files hold them, in the framing of `protocol_version`; 0 is that of files.

    Raises StoreError for a type whose layout is not known here.
    """
    if protocol_version <= 0:
        return body
    mark = _USUAL_SERIALIZATION if protocol_version >= _CUSTOM_SERIALIZATION_SINCE else b""
    try:
        return b"".join(_pieces(body, mark))
    except (IndexError, struct.error, UnicodeDecodeError):
        raise StoreError.refused(UNKNOWN_EXCEPTION, "The engine's result is not in Native format.") from None


def _pieces(body: bytes, mark: bytes) -> Iterator[bytes]:
    walk = ColumnWalk(body)
    while walk.at < len(body):
        start = walk.at
        columns, rows = walk.number(), walk.number()
        yield _BLOCK_INFO
        for _ in range(columns):
            walk.text()
            type_name = walk.text()
            yield body[start : walk.at]
            yield mark
            start = walk.at
            walk.column(type_name, rows)
        yield body[start : walk.at]
