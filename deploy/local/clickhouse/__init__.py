"""The ClickHouse HTTP interface over the ClickHouse engine in process."""
