"""One Apache Kafka broker from its jars."""
