"""Content codings: bounded decoding of bodies, one-shot and streamed encoding of results."""

import mmap
import zlib
from typing import Any, Final, Protocol

import cramjam

from deploy.local.clickhouse.domain.errors import UNKNOWN_COMPRESSION_METHOD, StoreError, too_large
from deploy.local.clickhouse.wire.native_blocks import encode_blocks

# By preference of this front: speed first.
_CODINGS: Final = ("lz4", "zstd", "gzip", "deflate", "br")
# Not a content coding: the blocks of `compress=1`, which no header announces.
NATIVE: Final = "native"
_MODULES: Final[dict[str, Any]] = {
    "lz4": cramjam.lz4,
    "zstd": cramjam.zstd,
    "gzip": cramjam.gzip,
    "deflate": cramjam.zlib,  # HTTP's deflate is a zlib stream
    "br": cramjam.brotli,
}


class Encoder(Protocol):
    """Encodes a body piece by piece; what it returns can be sent at once."""

    def encode(self, piece: bytes) -> bytes:
        """Returns the encoded piece, flushed."""
        ...

    def finish(self) -> bytes:
        """Returns what ends the body."""
        ...


def choose_coding(accept_encoding: str) -> str:
    """Returns the coding to answer with, empty for none; a coding with `q=0` is not accepted."""
    accepted = set()
    for part in accept_encoding.lower().split(","):
        name, _, weight = part.partition(";")
        if weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            accepted.add(name.strip())
    return next((coding for coding in _CODINGS if coding in accepted), "")


def decode(body: bytes, coding: str, max_bytes: int) -> bytes:
    """Returns the body without its content coding; StoreError if unknown, broken or over `max_bytes`."""
    if coding in ("", "identity"):
        return body
    module = _MODULES.get(coding)
    if module is None:
        raise StoreError.refused(UNKNOWN_COMPRESSION_METHOD, "Unknown content encoding of the request.")
    # Memory of the operating system: only the pages that are written become real.
    with mmap.mmap(-1, max_bytes) as room:
        try:
            size = module.decompress_into(body, room)
        except cramjam.DecompressionError as error:
            if "whole buffer" in str(error):
                raise too_large(max_bytes) from None
            raise StoreError.refused(
                UNKNOWN_COMPRESSION_METHOD, "The body does not match its content encoding."
            ) from None
        return room[:size]


def encode(body: bytes, coding: str) -> bytes:
    """Returns the whole body in a content coding of `choose_coding`."""
    if not coding:
        return body
    encoder = encoder_of(coding)
    return encoder.encode(body) + encoder.finish()


def encoder_of(coding: str) -> Encoder:
    """Returns an encoder for a coding of `choose_coding`."""
    if coding == NATIVE:
        return _Blocks()
    if coding in ("gzip", "deflate"):
        return _Zlib(31 if coding == "gzip" else 15)
    return _Cramjam(_MODULES[coding]) if coding else _Plain()


class _Plain:
    def encode(self, piece: bytes) -> bytes:
        return piece

    def finish(self) -> bytes:
        return b""


class _Blocks:
    def encode(self, piece: bytes) -> bytes:
        return encode_blocks(piece)

    def finish(self) -> bytes:
        return b""


class _Zlib:
    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.compressobj(3, wbits=window_bits)

    def encode(self, piece: bytes) -> bytes:
        return self._stream.compress(piece) + self._stream.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._stream.flush()


class _Cramjam:
    def __init__(self, module: Any) -> None:
        self._stream = module.Compressor()

    def encode(self, piece: bytes) -> bytes:
        self._stream.compress(piece)
        return bytes(self._stream.flush())

    def finish(self) -> bytes:
        return bytes(self._stream.finish())
