"""What a text of a language is: how it is read, parsed, normalised, cut and stopped."""
