"""Connections over HTTP: new ones, moved ones, and their tokens."""
