"""Hornbook: an LLM teacher writes a verified corpus, a small student learns from it, every score walks back to its seed."""

__version__ = "0.1.0"
