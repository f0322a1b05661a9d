"""Renewal of stored tokens: the sweep, the leased renewal, and its recovery."""

from __future__ import annotations
