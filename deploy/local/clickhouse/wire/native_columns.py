"""How long a column of a Native block is: its type's layout, walked without making values of it."""

import re
import struct
from collections.abc import Callable, Mapping
from typing import Final

from deploy.local.clickhouse.domain.errors import NOT_IMPLEMENTED, StoreError

_FIXED_BYTES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("UInt8", "Int8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("UInt16", "Int16", "Date", "Enum16", "BFloat16"), 2),
    **dict.fromkeys(("UInt32", "Int32", "Float32", "Date32", "DateTime", "IPv4", "Decimal32", "Time"), 4),
    **dict.fromkeys(("UInt64", "Int64", "Float64", "DateTime64", "Decimal64", "Time64"), 8),
    **dict.fromkeys(("UInt128", "Int128", "UUID", "IPv6", "Decimal128"), 16),
    **dict.fromkeys(("UInt256", "Int256", "Decimal256"), 32),
}
_ALIASES: Final[Mapping[str, str]] = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "Polygon": "Array(Ring)",
    "MultiLineString": "Array(LineString)",
    "MultiPolygon": "Array(Polygon)",
}
# By the largest precision that fits, the bytes of a Decimal(P, S).
_DECIMAL_BYTES: Final = ((9, 4), (18, 8), (38, 16), (76, 32))
_INDEX_BYTES: Final = (1, 2, 4, 8)
_HAS_ADDITIONAL_KEYS: Final = 0x200
_NAME: Final = re.compile(r"[A-Za-z0-9_]+")
_FIELD_NAME: Final = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]*|`(?:[^`\\]|\\.)*`) (?=[A-Za-z])")
_UINT64: Final = struct.Struct("<Q")


class ColumnWalk:
    """Stands at a place in `body` and goes on by columns; IndexError or struct.error past the end."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.at = 0
        self._data: dict[str, Callable[[list[str], int], None]] = {
            "String": self._strings,
            "FixedString": lambda inner, rows: self._skip(int(inner[0]) * rows),
            "Decimal": lambda inner, rows: self._skip(_decimal_bytes(inner[0]) * rows),
            "Nullable": self._nullable,
            "Array": self._array,
            "Tuple": self._tuple,
            "Nested": lambda inner, rows: self._array([f"Tuple({', '.join(inner)})"], rows),
            "Map": lambda inner, rows: self._array([f"Tuple({', '.join(inner)})"], rows),
            "LowCardinality": self._low_cardinality,
            "SimpleAggregateFunction": lambda inner, rows: self._column(inner[1], rows),
        }

    def number(self) -> int:
        """Reads a variable-length number."""
        number = shift = 0
        while True:
            byte = self._body[self.at]
            self.at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
                return number
            shift += 7

    def text(self) -> str:
        """Reads a text with its length before it."""
        size = self.number()
        self._skip(size)
        if self.at > len(self._body):
            raise IndexError
        return self._body[self.at - size : self.at].decode()

    def column(self, type_name: str, rows: int) -> None:
        """Goes past a column; StoreError NOT_IMPLEMENTED for a type whose layout is not known here."""
        self._prefix(type_name)
        self._column(type_name, rows)
        if self.at > len(self._body):
            raise IndexError

    def _prefix(self, type_name: str) -> None:
        name, inner = parts_of(type_name)
        if name == "LowCardinality":
            self._skip(_UINT64.size)
        elif name in self._data and name not in ("FixedString", "Decimal"):
            for part in inner[1:] if name == "SimpleAggregateFunction" else inner:
                self._prefix(_without_name(part))

    def _column(self, type_name: str, rows: int) -> None:
        name, inner = parts_of(type_name)
        size = 8 if name.startswith("Interval") else _FIXED_BYTES.get(name)
        if size is not None:
            self._skip(size * rows)
        elif name in self._data:
            self._data[name]([_without_name(part) for part in inner], rows)
        else:
            raise StoreError.refused(
                NOT_IMPLEMENTED,
                "A column has a type that cannot be sent to a client of this protocol version; "
                "convert it with toString, or ask for another format.",
            )

    def _skip(self, size: int) -> None:
        self.at += size

    def _uint64(self) -> int:
        (value,) = _UINT64.unpack_from(self._body, self.at)
        self.at += _UINT64.size
        return int(value)

    def _strings(self, _inner: list[str], rows: int) -> None:
        body, at = self._body, self.at
        for _ in range(rows):
            size = body[at]
            at += 1
            if size >= 0x80:  # noqa: PLR2004 - the bit that says that more follows
                self.at = at - 1
                size = self.number()
                at = self.at
            at += size
        self.at = at

    def _nullable(self, inner: list[str], rows: int) -> None:
        self._skip(rows)
        self._column(inner[0], rows)

    def _array(self, inner: list[str], rows: int) -> None:
        if rows:
            self._skip(_UINT64.size * (rows - 1))
            self._column(inner[0], self._uint64())

    def _tuple(self, inner: list[str], rows: int) -> None:
        if not inner:
            self._skip(rows)
        for part in inner:
            self._column(part, rows)

    def _low_cardinality(self, inner: list[str], rows: int) -> None:
        if not rows:
            return
        flags = self._uint64()
        if flags & _HAS_ADDITIONAL_KEYS:
            # The dictionary holds no nulls: its first key stands for them.
            name, within = parts_of(inner[0])
            self._column(within[0] if name == "Nullable" else inner[0], self._uint64())
        self._skip(_INDEX_BYTES[flags & 0xFF] * self._uint64())


def parts_of(type_name: str) -> tuple[str, list[str]]:
    """Returns a type's name and what stands in its brackets, parted at the commas of its own level."""
    found = _NAME.match(type_name)
    name = found[0] if found else ""
    if name in _ALIASES:
        return parts_of(_ALIASES[name])
    return name, list(_parted(type_name[len(name) + 1 : -1])) if type_name.endswith(")") else []


def _parted(text: str) -> list[str]:
    parts, depth, start, at = [], 0, 0, 0
    while at < len(text):
        sign = text[at]
        if sign in "'`":
            at = _past_quotes(text, at)
            continue
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
        at += 1
    last = text[start:].strip()
    return [*parts, last] if last else parts


def _past_quotes(text: str, at: int) -> int:
    quote, at = text[at], at + 1
    while at < len(text) and text[at] != quote:
        at += 2 if text[at] == "\\" else 1
    return at + 1


def _without_name(part: str) -> str:
    """Returns the type of a field of a Tuple or Nested, which may have a name before it."""
    return _FIELD_NAME.sub("", part, count=1) if _FIELD_NAME.match(part) else part


def _decimal_bytes(precision: str) -> int:
    return next(size for most, size in _DECIMAL_BYTES if int(precision) <= most)
