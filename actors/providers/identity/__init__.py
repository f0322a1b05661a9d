"""Identity of users: id_token (OIDC Core), user info, and one profile shape for all."""

from __future__ import annotations
