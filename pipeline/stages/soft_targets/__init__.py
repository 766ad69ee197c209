"""Soft targets: what a white-box teacher says of every token (Hinton et al. 2015), on disk."""
