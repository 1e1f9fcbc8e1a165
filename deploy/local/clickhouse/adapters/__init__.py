"""The engine in this process and the folder that it owns."""
