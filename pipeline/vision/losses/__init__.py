"""What is minimised, one loss a file, named by the paper's term."""
