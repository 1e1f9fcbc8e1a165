"""CityHash128 as of its version 1.0.2: the checksum of ClickHouse's compressed blocks.

Python's integers have no width: `_M` cuts to 64 bits whatever is shifted, multiplied again or returned.
"""

import struct

_M = (1 << 64) - 1
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F
_K3 = 0xC949D7C7509E6557
_MULTIPLIER = 0x9DDFEA08EB382D69
_WORD = struct.Struct("<Q")
_EIGHT_WORDS = struct.Struct("<8Q")
_BLOCK_BYTES = 128
_Pair = tuple[int, int]


def city_hash_128(data: bytes) -> bytes:
    """The checksum of at least 8 bytes: 16 bytes, the low half first."""
    size = len(data)
    if size < 8:  # noqa: PLR2004 - one word
        raise ValueError("too short for a block")
    if size < 16:  # noqa: PLR2004 - two words
        low, high = _murmur(b"", _word(data, 0) ^ (size * _K0 & _M), _word(data, size - 8) ^ _K1)
        return struct.pack("<QQ", low, high)
    rest, low, high = data[16:], _word(data, 0) ^ _K3, _word(data, 8)
    hashed = _long if len(rest) >= _BLOCK_BYTES else _murmur
    return struct.pack("<QQ", *hashed(rest, low, high))


def _word(data: bytes, at: int) -> int:
    return int(_WORD.unpack_from(data, at)[0])


def _rotate(value: int, shift: int) -> int:
    return (value >> shift) | (value << (64 - shift)) & _M


def _mix(value: int) -> int:
    return value ^ (value >> 47)


def _join(low: int, high: int) -> int:
    a = _mix((low ^ high) * _MULTIPLIER & _M)
    return _mix((high ^ a) * _MULTIPLIER & _M) * _MULTIPLIER & _M


def _short(data: bytes) -> int:
    """The 64-bit hash of up to 16 bytes."""
    size = len(data)
    if size > 8:  # noqa: PLR2004 - more than a word
        a, b = _word(data, 0), _word(data, size - 8)
        return _join(a, _rotate(b + size & _M, size)) ^ b
    if size >= 4:  # noqa: PLR2004 - half a word
        a, b = int.from_bytes(data[:4], "little"), int.from_bytes(data[-4:], "little")
        return _join(size + (a << 3), b)
    if size:
        y, z = data[0] + (data[size >> 1] << 8), size + (data[-1] << 2)
        return _mix((y * _K2 ^ z * _K3) & _M) * _K2 & _M
    return _K2


def _murmur(data: bytes, a: int, b: int) -> _Pair:
    size = len(data)
    if size <= 16:  # noqa: PLR2004 - two words
        a = _mix(a * _K1 & _M) * _K1 & _M
        c = b * _K1 + _short(data) & _M
        d = _mix(a + (_word(data, 0) if size >= 8 else c) & _M)  # noqa: PLR2004 - one word
    else:
        c = _join(_word(data, size - 8) + _K1 & _M, a)
        d = _join(b + size & _M, c + _word(data, size - 16) & _M)
        a = a + d & _M
        for at in range(0, size - 16, 16):
            a = (a ^ _mix(_word(data, at) * _K1 & _M) * _K1) * _K1 & _M
            b ^= a
            c = (c ^ _mix(_word(data, at + 8) * _K1 & _M) * _K1) * _K1 & _M
            d ^= c
    a, b = _join(a, c), _join(d, b)
    return a ^ b, _join(b, a)


def _weak(words: tuple[int, ...], a: int, b: int) -> _Pair:
    """A quick hash of four words and two seeds."""
    w, x, y, z = words
    a = a + w
    b = _rotate(b + a + z & _M, 21)
    c = a
    a = a + x + y & _M
    return a + z & _M, b + _rotate(a, 44) + c & _M


def _long(data: bytes, x: int, y: int) -> _Pair:
    size = len(data)
    z = size * _K1 & _M
    v0 = _rotate(y ^ _K1, 49) * _K1 + _word(data, 0) & _M
    v = (v0, _rotate(v0, 42) * _K1 + _word(data, 8) & _M)
    w = (_rotate(y + z & _M, 35) * _K1 + x & _M, _rotate(x + _word(data, 88) & _M, 53) * _K1 & _M)
    whole = size - size % _BLOCK_BYTES
    for words in _EIGHT_WORDS.iter_unpack(memoryview(data)[:whole]):
        x = _rotate(x + y + v[0] + words[2] & _M, 37) * _K1 & _M ^ w[1]
        y = _rotate(y + v[1] + words[6] & _M, 42) * _K1 & _M ^ v[0]
        z = _rotate(z ^ w[0], 33)
        v, w = _weak(words[:4], v[1] * _K1, x + w[0]), _weak(words[4:], z + w[1], y)
        z, x = x, z
    y = y + _rotate(w[0], 37) * _K0 + z & _M
    x = x + _rotate(v[0] + z & _M, 49) * _K0 & _M
    return _tail(data, size - whole, (x, y), v, w)


def _tail(data: bytes, left: int, xy: _Pair, v: _Pair, w: _Pair) -> _Pair:
    """The last bytes in steps of 32 from the end, then everything folded together."""
    x, y = xy
    for done in range(32, left + 32, 32):
        words = struct.unpack_from("<4Q", data, len(data) - done)
        y = _rotate(y - x & _M, 42) * _K0 + v[1] & _M
        w = (w[0] + words[2] & _M, w[1])
        x = _rotate(x, 49) * _K0 + w[0] & _M
        w = (w[0] + v[0] & _M, w[1])
        v = _weak(words, v[0], v[1])
    x, y = _join(x, v[0]), _join(y, w[0])
    return _join(x + v[1] & _M, w[1]) + y & _M, _join(x + w[1] & _M, y + v[1] & _M)
