"""Embedded Valkey: its binary, its process, and the mending of its append-only file."""

from __future__ import annotations
