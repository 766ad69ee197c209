"""Quality: heuristics, secrets and personal data, the paper's classifier of educational value, diversity."""
