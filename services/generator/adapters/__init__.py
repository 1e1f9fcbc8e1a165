"""How the generator reaches its engine, the router and the emitter."""
