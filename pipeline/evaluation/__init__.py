"""Whole evaluations: a model or a file of samples against a benchmark, and what is wanted beside the score."""
