"""What differs between providers, and how to talk to them: HTTP goes in, values come out."""

from __future__ import annotations
