"""Who runs it: the processes, the HTTP shim, the scheduler and the command line."""

from __future__ import annotations
