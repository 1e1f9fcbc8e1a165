"""What a ClickHouse HTTP request means and which statements may run; pure."""
