"""The user's GPU: which slice is theirs, how full it is, and what in their session holds it."""
