"""gRPC servers, channels and the boundary that every call passes."""
