"""Which tables of the database `system` a reader may read."""

from typing import Final

# What clients ask for to know the store's shape. The other tables of `system` show what others do: their
# queries, what an error quoted of them, their memory.
_READER_TABLES: Final = frozenset(
    {
        "aggregate_function_combinators",
        "build_options",
        "collations",
        "columns",
        "constraints",
        "contributors",
        "current_roles",
        "data_skipping_index_types",
        "data_skipping_indices",
        "data_type_families",
        "database_engines",
        "databases",
        "dictionaries",
        "enabled_roles",
        "formats",
        "functions",
        "keywords",
        "licenses",
        "merge_tree_settings",
        "numbers",
        "numbers_mt",
        "one",
        "primes",
        "privileges",
        "projections",
        "settings",
        "table_engines",
        "table_functions",
        "tables",
        "time_zones",
        "zeros",
        "zeros_mt",
    }
)


def is_hidden_system_table(name: str) -> bool:
    """Returns whether a reader may not read the table `name` of `system`."""
    return name not in _READER_TABLES
