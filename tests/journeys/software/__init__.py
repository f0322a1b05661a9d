"""Real provider software, each in a process of its own, for the journeys."""

from __future__ import annotations
