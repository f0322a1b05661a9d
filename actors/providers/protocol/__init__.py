"""OAuth 2.0 and OpenID Connect as their RFCs define them, client side."""

from __future__ import annotations
