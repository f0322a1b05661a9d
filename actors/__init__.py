"""What is done: one module a capability."""

from __future__ import annotations
