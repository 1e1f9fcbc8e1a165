"""Queries on the store's views, within the time, regions and models that a dashboard's reader has chosen."""

from typing import Final

# Most rows of a table: more than anybody reads.
_MOST_ROWS: Final = 500


def select(  # noqa: PLR0913 - the clauses of a query
    view: str,
    *columns: str,
    hour: str = "",
    day: str = "",
    chosen: tuple[str, ...] = (),
    where: str = "",
    group: str = "",
    order: str,
) -> str:
    """Returns a query on a view of pipelines/usage/schema.

    `hour` or `day` is the column that the chosen time bounds; each of `chosen` is a column and a choice.
    Macros are those of grafana-clickhouse-datasource.
    """
    conditions = [
        *([f"$__timeFilter({hour})"] if hour else []),
        *([f"$__dateFilter({day})"] if day else []),
        *(f"{name} IN (${{{name}:singlequote}})" for name in chosen),
        *([where] if where else []),
    ]
    kept = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    # Every word is one of this folder's; what a reader chooses is quoted by Grafana.
    names = ", ".join(columns)
    kept += f" GROUP BY {group}" if group else ""
    return f"SELECT {names} FROM ${{database}}.{view}{kept} ORDER BY {order} LIMIT {_MOST_ROWS}"  # noqa: S608
