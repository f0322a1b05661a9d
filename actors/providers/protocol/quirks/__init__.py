"""What a provider does in its own way and presets.toml cannot say as data, a file for each."""

from __future__ import annotations
