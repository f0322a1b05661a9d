"""Provider quirks: behaviour that presets.toml cannot express as data, a module each."""

from __future__ import annotations
