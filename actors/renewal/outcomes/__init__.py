"""Outcomes of a renewal: a stored grant, an end, a refusal, or a failure that may pass."""

from __future__ import annotations
