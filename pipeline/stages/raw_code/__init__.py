"""Real code: the standard library, a folder of .py files, or an HF dataset, as passages with origin and licence."""
