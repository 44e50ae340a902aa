"""For the hub's process; nothing here is imported by a user's server. Extra `[hub]`."""
