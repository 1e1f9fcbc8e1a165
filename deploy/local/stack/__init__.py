"""All processes on one machine: what runs, with which settings, in which order, and how it ends."""
