"""Tables of providers, sign-ins and connections."""

from __future__ import annotations
