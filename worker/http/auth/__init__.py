"""API keys, scopes, rates, and cookies that bind a sign-in to a browser."""

from __future__ import annotations
