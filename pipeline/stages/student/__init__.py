"""The student: batches, objective, soft losses and the training loop."""
