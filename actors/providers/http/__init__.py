"""Guarded HTTP to providers: checked addresses, bounded answers."""

from __future__ import annotations
