"""Benchmarks of Hoptac, its limits and its peers, in one run and on generated data."""
