"""Distinct: exact duplicates, near ones (MinHash, verified), and renamed clones (normalised AST)."""
