"""Samples: a student or an endpoint is asked the problems of benchmarks."""
