"""What a network is trained for: an objective a file, one training loop for all."""
