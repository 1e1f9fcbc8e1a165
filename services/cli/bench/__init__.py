"""What a load is, what was seen of it, and what follows from that; pure."""
