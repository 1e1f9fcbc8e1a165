"""What the console decides: how numbers are read, joined, judged and said."""
