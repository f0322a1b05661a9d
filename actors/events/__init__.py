"""Events: the audit trail, its search, and webhooks with their deliveries."""
