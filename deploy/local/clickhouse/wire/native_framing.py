"""Native blocks as clients that state a protocol version expect them: with the fields that version added."""

import struct
from typing import Final

from deploy.local.clickhouse.domain.errors import UNKNOWN_EXCEPTION, StoreError
from deploy.local.clickhouse.domain.ports import Stream
from deploy.local.clickhouse.wire.native_columns import ColumnWalk

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
    blocks, size = _whole_blocks(body, protocol_version)
    if size < len(body):
        raise _torn()
    return blocks


class FramedStream:
    """A result in pieces whose blocks get the framing of a version; a torn one waits for its rest."""

    def __init__(self, stream: Stream, protocol_version: int) -> None:
        self._stream = stream
        self._protocol_version = protocol_version
        self._rest = b""

    def fetch(self) -> bytes:
        """Returns the next whole blocks, empty at the end."""
        while piece := self._stream.fetch():
            body = self._rest + piece
            blocks, size = _whole_blocks(body, self._protocol_version)
            self._rest = body[size:]
            if blocks:
                return blocks
        if self._rest:
            raise _torn()
        return b""

    def close(self) -> None:
        """Stops the query if it still runs."""
        self._stream.close()


def _whole_blocks(body: bytes, protocol_version: int) -> tuple[bytes, int]:
    """Returns the framed blocks that are there as a whole, and how many bytes of `body` they are."""
    mark = _USUAL_SERIALIZATION if protocol_version >= _CUSTOM_SERIALIZATION_SINCE else b""
    walk, pieces, size = ColumnWalk(body), list[bytes](), 0
    while size < len(body):
        try:
            pieces += _block(walk, body, mark)
        except (IndexError, struct.error):
            break
        except UnicodeDecodeError:
            raise _torn() from None
        size = walk.at
    return b"".join(pieces), size


def _block(walk: ColumnWalk, body: bytes, mark: bytes) -> list[bytes]:
    start = walk.at
    columns, rows = walk.number(), walk.number()
    pieces = [_BLOCK_INFO]
    for _ in range(columns):
        walk.text()
        type_name = walk.text()
        pieces += (body[start : walk.at], mark)
        start = walk.at
        walk.column(type_name, rows)
    return [*pieces, body[start : walk.at]]


def _torn() -> StoreError:
    return StoreError.refused(UNKNOWN_EXCEPTION, "The engine's result is not in Native format.")
