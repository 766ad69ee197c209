"""Documents: a teacher's answer becomes a passage or an exercise, or is dropped with the reason."""
