"""URL templates of providers: where a value may stand, and what it may be there."""

from __future__ import annotations
