"""Stored hashes: reads what this service and other software made; one module a family of forms."""
