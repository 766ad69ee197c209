"""A run's corpus and student as folders that others can load, with cards that say what they are."""
