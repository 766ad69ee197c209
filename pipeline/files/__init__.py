"""Anybody's rows: which files an input stands for, and what is in them."""
