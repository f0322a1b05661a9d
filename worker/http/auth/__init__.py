"""Authentication: API keys, scopes, rate limits, and cookies that bind a sign-in to a browser."""

from __future__ import annotations
