"""Python: what its grammar says of an answer, a function, a text to go on with and two texts that are the same."""
