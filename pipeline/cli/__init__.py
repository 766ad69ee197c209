"""The command line: one verb, one function; heavy imports are inside the verbs, so that `--help` is instant."""
