"""Benchmarks: one question a file, side by side with peers in one run. `make bench`."""
