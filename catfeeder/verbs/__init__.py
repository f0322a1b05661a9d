"""Verbs of both clients: the arguments of each, and the message or request that they make."""
