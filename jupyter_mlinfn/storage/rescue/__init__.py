"""The rescue: files that would go with the server are copied to storage that lasts, and verified."""
