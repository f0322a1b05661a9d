"""The supervisor behind `make run`: stores, processes, drain."""

from __future__ import annotations
