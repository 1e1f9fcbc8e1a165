"""ClickHouse's own compressed blocks, which `compress=1` and `decompress=1` speak of."""

import struct
from typing import Final

import cramjam
from clickhouse_cityhash.cityhash import CityHash128

from deploy.local.clickhouse.domain.errors import (
    CHECKSUM_DOESNT_MATCH,
    UNKNOWN_COMPRESSION_METHOD,
    StoreError,
    too_large,
)

_HEAD: Final = struct.Struct("<BII")
_CHECKSUM: Final = struct.Struct("<QQ")
_LZ4, _ZSTD, _NONE = 0x82, 0x90, 0x02
_BLOCK_BYTES: Final = 1024 * 1024


def encode_blocks(body: bytes) -> bytes:
    """Returns `body` as LZ4 blocks with checksums."""
    starts = range(0, len(body), _BLOCK_BYTES)
    return b"".join(_block(body[start : start + _BLOCK_BYTES]) for start in starts)


def decode_blocks(body: bytes, max_bytes: int) -> bytes:
    """Returns what the blocks hold; StoreError if one is broken or the whole is larger than `max_bytes`."""
    pieces, at, size = [], 0, 0
    while at < len(body):
        piece, at = _unblock(body, at, max_bytes - size)
        size += len(piece)
        pieces.append(piece)
    return b"".join(pieces)


def _block(piece: bytes) -> bytes:
    packed = bytes(cramjam.lz4.compress_block(piece, store_size=False))
    block = _HEAD.pack(_LZ4, len(packed) + _HEAD.size, len(piece)) + packed
    return _checksum(block) + block


def _unblock(body: bytes, at: int, max_bytes: int) -> tuple[bytes, int]:
    start = at + _CHECKSUM.size
    if len(body) < start + _HEAD.size:
        raise _broken()
    method, packed_size, size = _HEAD.unpack_from(body, start)
    end = start + packed_size
    if packed_size < _HEAD.size or end > len(body):
        raise _broken()
    if size > max_bytes:
        raise too_large(max_bytes)
    if _checksum(body[start:end]) != body[at:start]:
        raise StoreError.refused(CHECKSUM_DOESNT_MATCH, "A compressed block has another checksum.")
    return _unpack(method, body[start + _HEAD.size : end], size), end


def _checksum(block: bytes) -> bytes:
    # The format has the two words of the hash in the order in which the library writes its number.
    return _CHECKSUM.pack(*divmod(CityHash128(block), 2**64))


def _unpack(method: int, packed: bytes, size: int) -> bytes:
    room = bytearray(size)
    try:
        if method == _LZ4:
            written = cramjam.lz4.decompress_block_into(packed, room, output_len=size) if size else 0
        elif method == _ZSTD:
            written = cramjam.zstd.decompress_into(packed, room)
        elif method == _NONE:
            return packed
        else:
            raise _broken()
    except cramjam.DecompressionError:
        raise _broken() from None
    if written != size:
        raise _broken()
    return bytes(room)


def _broken() -> StoreError:
    return StoreError.refused(UNKNOWN_COMPRESSION_METHOD, "A compressed block of the body is broken.")
