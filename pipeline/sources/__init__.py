"""Real code: the standard library, a folder of .py files, or an HF dataset, as passages with origin and licence."""

from pipeline.sources.passages import NAME, REASONS, VERSION, examined, passages

__all__ = ["NAME", "REASONS", "VERSION", "examined", "passages"]
