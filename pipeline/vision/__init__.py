"""Images: the second walk. Self-distillation after DINOv2, distillation from a teacher, and their scores."""
