"""Backups: all tables in a file that any database restores, without a key in it."""

from __future__ import annotations
