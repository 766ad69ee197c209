"""Scores: samples are judged in the sandbox; pass@k, intervals, and what a score rests on."""
