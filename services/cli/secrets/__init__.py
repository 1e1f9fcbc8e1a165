"""The folder of secrets that `deploy/compose.yaml` mounts: what is in it, how it is made and renewed."""
