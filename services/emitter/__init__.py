"""Durable hand-over of count-only events to Kafka."""
