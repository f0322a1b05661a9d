"""Bodies of the commands for what goes on: connections, providers, queues, jobs and events."""

from __future__ import annotations
