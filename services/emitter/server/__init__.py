"""The RPCs of the emitter."""
