"""Command line: the bodies of `python -m worker COMMAND`, loaded when their command is given."""

from __future__ import annotations
