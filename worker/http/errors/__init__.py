"""Problem details (RFC 9457): each error's status, body and handler."""

from __future__ import annotations
