"""Running: threads, buffers, and the backend itself."""
