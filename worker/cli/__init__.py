"""Commands of `python -m worker`, one module a command."""

from __future__ import annotations
