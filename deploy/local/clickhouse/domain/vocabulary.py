"""What the engine can be asked to name, from its own lists, and which of it a statement may name.

Everything is allowed by a list of ours and refused otherwise, so a function, a table function or an engine of
a later version of the engine stays out until it is put on a list.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

# Categories of `system.functions` that only compute.
_COMPUTING: Final = frozenset(
    {
        "Aggregate Functions",
        "Arithmetic",
        "Arrays",
        "Bit",
        "Bitmap",
        "Comparison",
        "Conditional",
        "Dates and Times",
        "Distance",
        "Encoding",
        "Encryption",
        "Financial",
        "Geo",
        "Geo Polygon",
        "Hash",
        "IP Address",
        "JSON",
        "Logical",
        "Map",
        "Mathematical",
        "Null",
        "NumericIndexedVector",
        "QBit",
        "Random Number",
        "Rounding",
        "String",
        "String Replacement",
        "String Search",
        "String Splitting",
        "Time Series",
        "Time Window",
        "Tuple",
        "Type Conversion",
        "URL",
        "UUID",
    }
)
# Functions of the other categories that only compute or say something about the query itself.
_HARMLESS: Final = frozenset(
    {
        "_cast",
        "bar",
        "blocknumber",
        "blocksize",
        "buildid",
        "bytesize",
        "casewithexpr",
        "casewithexpression",
        "coloroklabtosrgb",
        "coloroklchtosrgb",
        "colorsrgbtooklab",
        "colorsrgbtooklch",
        "connectionid",
        "countdigits",
        "currentdatabase",
        "currentprofiles",
        "currentqueryid",
        "currentroles",
        "currentschemas",
        "currentuser",
        "defaultprofiles",
        "defaultroles",
        "defaultvalueofargumenttype",
        "defaultvalueoftypename",
        "digits",
        "displayname",
        "dumpcolumnstructure",
        "enabledprofiles",
        "enabledroles",
        "errorcodetoname",
        "evalmlmethod",
        "finalizeaggregation",
        "flipcoordinates",
        "formatreadabledecimalsize",
        "formatreadablequantity",
        "formatreadablesize",
        "formatreadabletimedelta",
        "fqdn",
        "getsetting",
        "getsettingordefault",
        "getsizeofenumtype",
        "getsubcolumn",
        "globalvariable",
        "hostname",
        "icebergbucket",
        "icebergtruncate",
        "identity",
        "ignore",
        "indexhint",
        "initializeaggregation",
        "initialqueryid",
        "initialquerystarttime",
        "isconstant",
        "isdecimaloverflow",
        "joinget",
        "joingetornull",
        "lowcardinalityindices",
        "lowcardinalitykeys",
        "macnumtostring",
        "macstringtonum",
        "macstringtooui",
        "materialize",
        "minsamplesizecontinuous",
        "minsamplesizeconversion",
        "neighbor",
        "nested",
        "parseiso8601duration",
        "parsereadablesize",
        "parsereadablesizeornull",
        "parsereadablesizeorzero",
        "parsetimedelta",
        "partitionid",
        "pggetuserbyid",
        "pgtableisvisible",
        "queryid",
        "revision",
        "rownumberinallblocks",
        "rownumberinblock",
        "runningaccumulate",
        "runningconcurrency",
        "runningdifference",
        "runningdifferencestartingwithfirstvalue",
        "shardcount",
        "shardnum",
        "sleep",
        "sleepeachrow",
        "throwif",
        "tocolumntypename",
        "totypename",
        "transform",
        "uptime",
        "variantelement",
        "varianttype",
        "version",
        "visiblewidth",
    }
)
# Table functions that take no structure text: a structure can hold DEFAULT and ALIAS expressions. The text
# of `values`, which drivers need for their metadata, is read apart. `merge` takes names of tables as texts,
# so it is the writer's.
_READER_TABLE_FUNCTIONS: Final = frozenset(
    {"generate_series", "generateseries", "numbers", "numbers_mt", "primes", "view", "zeros", "zeros_mt"}
) | {"values"}
_WRITER_TABLE_FUNCTIONS: Final = _READER_TABLE_FUNCTIONS | {"merge"}
# Engines of temporary tables; the others keep rows on the disk, or take names of tables.
_READER_ENGINES: Final = frozenset({"Memory", "Null"})
_WRITER_ENGINES: Final = frozenset(
    {"Memory", "Null", "Log", "TinyLog", "StripeLog", "Set", "Join", "Buffer", "Atomic"}
)
# Functions that reach outside the store and can be called by name alone, as in `arrayMap(file, ...)`.
_OUTSIDE_BY_NAME: Final = frozenset({"file", "catboostevaluate"}) | {
    f"ai{verb}"
    for verb in ("classify", "embed", "extract", "filter", "generate", "redact", "similarity", "translate")
}
_OUTSIDE: Final = _OUTSIDE_BY_NAME | {"disk", "eval", "executable", "filesystem", "python"}


@dataclass(frozen=True, slots=True)
class EngineFunction:
    """One row of `system.functions`, as far as a decision needs it."""

    name: str
    alias_of: str
    category: str
    is_aggregate: bool


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The engine's settings, functions and table functions, and who may name which; names are lower case."""

    settings: frozenset[str]
    table_functions: frozenset[str] = frozenset()
    _hidden_functions: frozenset[str] = frozenset()
    _functions: frozenset[str] = frozenset()
    _refused_calls: Mapping[bool, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, settings: Iterable[str], functions: Iterable[EngineFunction], table_functions: Iterable[str]
    ) -> "Vocabulary":
        """Returns the vocabulary of an engine with these lists."""
        rows = list(functions)
        known = frozenset(row.name.lower() for row in rows)
        hidden = known - _harmless(rows)
        tables = frozenset(name.lower() for name in table_functions)
        calls = {
            False: _OUTSIDE | hidden | (tables - (known - hidden) - _READER_TABLE_FUNCTIONS),
            True: _OUTSIDE | (tables - known - _WRITER_TABLE_FUNCTIONS),
        }
        return cls(frozenset(settings), tables, hidden, known, calls)

    def is_refused_call(self, name: str, *, is_writer: bool) -> bool:
        """Returns whether `name` may not stand before a bracket, wherever that is."""
        return name.lower() in self._refused_calls.get(is_writer, _OUTSIDE)

    def is_refused_name(self, name: str, *, is_writer: bool) -> bool:
        """Returns whether `name` may not stand alone either: a function can be handed over by its name."""
        lower = name.lower()
        return lower in _OUTSIDE_BY_NAME or (not is_writer and lower in self._hidden_functions)

    def is_table_function(self, name: str) -> bool:
        """Returns whether the engine has a table function `name`."""
        return name.lower() in self.table_functions

    def is_ambiguous(self, name: str) -> bool:
        """Returns whether `name` is both a function and a table function that takes a structure."""
        is_both = self.is_table_function(name) and name.lower() in self._functions
        return is_both and name.lower() not in _WRITER_TABLE_FUNCTIONS

    def is_refused_table_function(self, name: str, *, is_writer: bool) -> bool:
        """Returns whether `name` may not stand where a table is read."""
        return name.lower() not in (_WRITER_TABLE_FUNCTIONS if is_writer else _READER_TABLE_FUNCTIONS)


def is_refused_engine(name: str, *, is_writer: bool) -> bool:
    """Returns whether a table or database may not have the engine `name`."""
    if is_writer:
        return not (name in _WRITER_ENGINES or name.endswith("MergeTree"))
    return name not in _READER_ENGINES


def _harmless(rows: Iterable[EngineFunction]) -> frozenset[str]:
    """Returns the functions that a reader may call; an alias is what it stands for.

    Of two names that differ in case both must be harmless.
    """
    by_name = {row.name: row for row in rows}
    targets = [(row.name.lower(), _is_harmless(_target(row, by_name))) for row in by_name.values()]
    return frozenset(name for name, _ in targets) - {name for name, is_harmless in targets if not is_harmless}


def _is_harmless(row: EngineFunction) -> bool:
    computes = row.category in _COMPUTING or (row.is_aggregate and not row.category)
    return computes or row.name.lower() in _HARMLESS


def _target(row: EngineFunction, by_name: Mapping[str, EngineFunction]) -> EngineFunction:
    for _ in range(3):
        row = by_name.get(row.alias_of, row)
    return row
