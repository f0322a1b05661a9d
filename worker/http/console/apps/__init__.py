"""Pages of apps and of their API keys."""
