"""Problem details (RFC 9457): the status, body and handler of each error."""

from __future__ import annotations
