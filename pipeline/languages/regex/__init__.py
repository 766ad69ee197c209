"""Regular expressions of Python's `re`."""
