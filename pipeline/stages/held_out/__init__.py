"""Held out: exercises of the corpus that are asked and never trained on."""
