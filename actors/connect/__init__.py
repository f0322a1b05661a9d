"""Connect sessions: what the page shows where a user connects accounts, and by which link."""

from __future__ import annotations
