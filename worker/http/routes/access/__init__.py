"""Routes of access: apps and API keys."""
