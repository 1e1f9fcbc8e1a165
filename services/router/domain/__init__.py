"""What the router decides: admission, keys, quota, placement, tickets."""
