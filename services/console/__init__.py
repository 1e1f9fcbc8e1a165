"""The console: one page that shows what runs, how fast, for whom, and whether all of it is counted."""
