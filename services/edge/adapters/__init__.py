"""How the edge reaches the router, the generators and the emitter."""
