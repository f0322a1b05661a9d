"""The HTTP shim: requests become messages, rows and redirects; nothing is hashed or fetched."""

from __future__ import annotations
