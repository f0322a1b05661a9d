"""Connections made from credentials, without a browser: API keys, Basic, and grants of clients."""

from __future__ import annotations
