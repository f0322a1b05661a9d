"""What commands share: options, tables and JSON, progress, the database and the queue."""

from __future__ import annotations
