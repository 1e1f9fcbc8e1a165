"""What is OpenAI's: the requests of its API, its answers and errors, and the names of both."""
