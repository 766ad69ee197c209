"""Decontaminated: n-gram, syntax-tree and embedding overlap with benchmark problems (phi-1, section 5)."""
