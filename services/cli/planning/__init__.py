"""What `comptoir plan --model` says of a replica: what was asked, what was found, how it is shown."""
