"""What `comptoir doctor` decides: facts come in, findings go out; pure."""
