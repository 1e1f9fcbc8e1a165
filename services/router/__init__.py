"""Who may call, how much, on which replica; never sees text."""
