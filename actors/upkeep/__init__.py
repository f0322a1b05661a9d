"""Upkeep: periodic clean-up, and resealing after a change of SECRET_KEY."""

from __future__ import annotations
