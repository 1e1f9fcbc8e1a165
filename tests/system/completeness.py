"""Whether the rows of a stack are all there, and each once."""

from typing import Any

from tests.guarantees import guaranteed
from tests.system.stack_process import Stack, eventually


@guaranteed()
def assert_complete(stack: Stack) -> None:
    """Each spool numbered its events of a kind from 1 without gaps, and each is there once."""
    for table in ("generations", "admissions", "edge_requests", "replica_load"):
        query = (
            "SELECT producer_id, count() AS rows, uniqExact(producer_sequence) AS numbers, "  # noqa: S608
            "uniqExact(event_id_high, event_id_low) AS events, "
            f"max(producer_sequence) AS last FROM comptoir.{table} GROUP BY producer_id"
        )

        def gaps(query: str = query) -> list[dict[str, Any]]:
            rows = stack.rows(query)
            return [row for row in rows if not row["rows"] == row["numbers"] == row["last"] == row["events"]]

        eventually(gaps, lambda found: found == [], 60)
