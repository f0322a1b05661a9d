"""Schema of a provider's settings, a module for each concern of a provider."""

from __future__ import annotations
