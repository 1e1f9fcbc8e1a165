"""How the router keeps keys, leases and replicas, and reaches the emitter."""
