"""Not to be surprised: what counts as activity, when the server is stopped, and who is told."""
