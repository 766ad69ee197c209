"""Tokens: documents become shards of token ids with a table of their spans."""
