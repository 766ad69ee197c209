"""Benchmarks: problems by name or by path, in the forms in which they are published."""
