"""An engine without a model, for tests and for machines that cannot hold one."""
