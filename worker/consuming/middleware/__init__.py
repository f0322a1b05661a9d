"""What happens around every message that a worker performs, one concern a file."""

from __future__ import annotations
