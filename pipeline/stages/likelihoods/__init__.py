"""Likelihoods: how likely a model finds the benchmarks' reference solutions, without letting it write any."""
