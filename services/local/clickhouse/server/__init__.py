"""The ClickHouse HTTP interface."""
