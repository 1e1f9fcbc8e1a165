"""How the pipeline reaches Kafka and ClickHouse."""
