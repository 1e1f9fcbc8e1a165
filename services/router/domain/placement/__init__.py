"""Where a request may run: filters leave the replicas that can take it, a policy puts them in order."""
