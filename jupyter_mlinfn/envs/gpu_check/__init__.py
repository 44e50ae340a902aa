"""Check GPU: whether the frameworks in an environment can use this server's GPU, and if not, why."""
