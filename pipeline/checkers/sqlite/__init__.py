"""`sqlite`: a query's result on the shown data and on data made from it. checker.py declares it; the rest runs inside
the sandbox and knows the standard library alone."""
