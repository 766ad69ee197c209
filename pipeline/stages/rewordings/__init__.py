"""Rewordings: an exercise is said in other words, and solved blind from these (back-translation)."""
