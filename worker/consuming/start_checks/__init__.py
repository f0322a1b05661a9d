"""Checks of Redis before a worker starts: what it can do, and whether it keeps what it holds."""
