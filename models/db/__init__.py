"""Database connections, column types, and statements shared by all tables."""

from __future__ import annotations
