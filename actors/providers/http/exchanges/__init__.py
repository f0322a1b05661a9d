"""Exchanges on connections that are there: kept alive, or with an answer that comes late."""

from __future__ import annotations
