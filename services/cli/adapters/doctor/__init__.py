"""How `comptoir doctor` looks at the world; every question is answered in bounded time, or not."""
