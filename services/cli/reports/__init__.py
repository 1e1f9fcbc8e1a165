"""Reports from the store: what is asked, how costs are reckoned, and how an answer is shown."""
