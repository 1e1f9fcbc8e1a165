"""What one machine lacks: a supervisor, a Kafka broker, a ClickHouse server."""
