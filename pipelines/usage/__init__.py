"""Kafka to ClickHouse, once each."""
