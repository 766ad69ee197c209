"""The words that all rooms speak: errors, identity, records, what a stage and a plan are, events, money."""
