"""Where the numbers of the page come from."""
