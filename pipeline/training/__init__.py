"""What every training loop is made of, whatever it trains: schedule, optimiser, average, checkpoints, processes."""
