"""Text that no parser knows: prose, numbers, JSON."""
