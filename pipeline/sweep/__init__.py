"""An experiment: one recipe in several arms, each with several seeds, and what they come to side by side."""
