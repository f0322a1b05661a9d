"""Schemas of work: jobs, queues, renewals, events and deliveries."""
