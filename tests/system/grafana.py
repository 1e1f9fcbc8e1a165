"""What Grafana puts into a panel's query before it asks: the reader's choices, and the plugin's macros.

Exactly those that deploy/dashboards uses, and nothing is left over:

| Written | Becomes |
|---|---|
| `$region`, `$model` in a regular expression | the chosen names, `(a|b)` where there are several |
| `$__rate_interval` | at least four scrapes |
| `${database}` | the constant of the dashboard |
| `${region:singlequote}`, `${model:singlequote}` | the chosen names in quotes, with commas |
| `$__timeFilter(c)` | `c >= toDateTime(FROM) AND c <= toDateTime(TO)`, in seconds |
| `$__dateFilter(c)` | `c >= toDate('FROM') AND c <= toDate('TO')` |
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at a dashboard: what they chose, and from when to when."""

    start: float
    end: float
    choices: Mapping[str, Sequence[str]]
    database: str = "comptoir"
    rate_interval: str = "1m"

    def promql(self, query: str) -> str:
        """The query that Prometheus is asked."""
        query = query.replace("$__rate_interval", self.rate_interval)
        for name, values in self.choices.items():
            chosen = values[0] if len(values) == 1 else f"({'|'.join(values)})"
            query = query.replace(f"${name}", chosen)
        return _whole(query)

    def sql(self, statement: str) -> str:
        """The statement that the store is asked."""
        statement = statement.replace("${database}", self.database)
        for name, values in self.choices.items():
            quoted = ",".join(f"'{value}'" for value in values)
            statement = statement.replace(f"${{{name}:singlequote}}", quoted)
        start, end = int(self.start), int(self.end)
        statement = re.sub(
            r"\$__timeFilter\((\w+)\)",
            rf"\1 >= toDateTime({start}) AND \1 <= toDateTime({end})",
            statement,
        )
        first, last = (datetime.fromtimestamp(seconds, UTC).date().isoformat() for seconds in (start, end))
        return _whole(
            re.sub(
                r"\$__dateFilter\((\w+)\)",
                rf"\1 >= toDate('{first}') AND \1 <= toDate('{last}')",
                statement,
            )
        )


def _whole(query: str) -> str:
    assert "$" not in query, f"what Grafana would put here is not known: {query}"
    return query
