"""SQL, in SQLite's dialect."""
