"""Bodies of the commands for apps, and for the keys of all kinds."""

from __future__ import annotations
