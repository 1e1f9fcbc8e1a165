"""How the emitter keeps its spool and reaches Kafka."""
