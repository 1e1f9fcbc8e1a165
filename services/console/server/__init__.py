"""The HTTP side: who may look, the page, and what it asks for afterwards."""
