"""Examples: apps that sign their users in by the service, each a file to copy from."""

from __future__ import annotations
