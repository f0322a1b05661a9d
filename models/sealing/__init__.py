"""Key ids of sealed columns, and resealing with the current key."""

from __future__ import annotations
