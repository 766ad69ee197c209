"""`python-check`: a folder's own `check.py`. checker.py declares it; child.py runs inside the sandbox."""
