"""The student: batches, schedule, objective, soft losses, checkpoints and the training loop."""
