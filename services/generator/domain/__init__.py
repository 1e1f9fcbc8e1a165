"""What the generator decides: tickets, sampling bounds, timelines, outcomes."""
