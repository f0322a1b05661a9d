"""Apps that share the service: their registration, settings, logos, and the checks of those."""
