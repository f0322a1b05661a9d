"""One performing process: its composition root, its signals and its logs."""

from __future__ import annotations
