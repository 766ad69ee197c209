"""The walk's last step: what a student fails at decides what its teacher writes next."""
