"""Between messages and the domain: pure functions, both ways."""
