"""Domains proven: every claim of a folder is executed, and a few seeds go through all stages first."""
