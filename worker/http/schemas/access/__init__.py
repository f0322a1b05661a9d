"""Schemas of access: apps and API keys."""
