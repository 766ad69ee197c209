"""Artifacts on disk, and the folders of an installation."""
