"""Key ids of sealed columns, MACs of rows, and resealing with the current key."""

from __future__ import annotations
