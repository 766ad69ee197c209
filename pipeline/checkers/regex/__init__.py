"""`regex`: a pattern on strings that it must match and must not, and on near-misses of them.

checker.py declares it; the rest runs inside the sandbox and knows the standard library alone.
"""
