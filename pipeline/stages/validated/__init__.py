"""Validated: what a teacher wrote is run before it is believed."""
