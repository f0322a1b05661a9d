"""Provider settings: what an operator sets, what discovery adds, and checks of both."""

from __future__ import annotations
