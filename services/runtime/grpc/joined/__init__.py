"""Many calls between two processes on one stream, each message with all that came up since the last."""
