"""Processes: the HTTP shim, the performing processes, the supervisor and the command line."""

from __future__ import annotations
