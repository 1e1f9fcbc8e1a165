"""Real models for one machine: which are known, where they lie, and how one is fetched and converted."""
