"""Prompts: templates read from a folder, rendered for seeds."""
