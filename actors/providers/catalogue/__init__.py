"""Catalogue: presets of hundreds of providers as data, a file for each first character."""

from __future__ import annotations
