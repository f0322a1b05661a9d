"""Guarded HTTP to providers: SSRF guard, deadlines, bounded answers, kept-alive connections."""

from __future__ import annotations
