"""Topics and rights of Comptoir in Kafka, declared in one file."""
