"""Checks of a provider's configuration: static, published, and of offline access."""
