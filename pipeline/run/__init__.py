"""A run: its plan is walked, its record kept; what it will cost, what it left, what it needs no more."""
