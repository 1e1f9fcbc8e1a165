"""What clients ask about the store's shape is answered, and what others do there is not shown."""

import pytest

from deploy.local.clickhouse.domain.system_tables import is_hidden_system_table


@pytest.mark.parametrize("name", ["tables", "columns", "databases", "settings", "functions", "one"])
def test_the_tables_that_drivers_ask_for_their_metadata_are_shown(name: str) -> None:
    assert not is_hidden_system_table(name)


@pytest.mark.parametrize(
    "name", ["errors", "processes", "query_log", "query_cache", "stack_trace", "brand_new", "TABLES", ""]
)
def test_what_shows_others_or_is_on_no_list_is_hidden(name: str) -> None:
    assert is_hidden_system_table(name)
