"""Dead letters and quarantined messages."""

from __future__ import annotations
