"""Benchmarks: each figure is a ratio or a count, taken in one run; `make bench` prints the table."""
