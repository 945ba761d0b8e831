"""Running: the table in memory, jobs in threads, and the backend itself."""
