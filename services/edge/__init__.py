"""OpenAI HTTP in, gRPC out: the only process that faces the Internet."""
