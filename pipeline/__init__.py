"""Hornbook: a teacher LLM writes a verified corpus, a small student learns it, every score walks back to its seed."""

__version__ = "0.2.0.dev0"
