"""Periodic clean-up, and resealing after a key change."""

from __future__ import annotations
