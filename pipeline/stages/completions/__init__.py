"""Completions: the teachers are asked, and every paid answer is on disk before anything is made of it."""
