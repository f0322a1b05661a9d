"""LeftOut: a provider of the catalogues that the settings cannot say, and why."""

from __future__ import annotations


class LeftOut(Exception):
    """No preset is made; the message is the reason."""
