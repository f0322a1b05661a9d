"""Dramatiq middleware around every message that a worker performs, one concern a module."""

from __future__ import annotations
