"""One performing process: its broker, signals and logs."""

from __future__ import annotations
