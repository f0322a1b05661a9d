"""Tables of the service, each with its queries named as verbs."""

from __future__ import annotations

# First of all: once Peewee is loaded it is too late.
import models.db.drivers  # noqa: F401
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION
from models.oauth.sign_ins import TAB_VERIFICATION

__all__ = ["TAB_CONNECTIONS", "TAB_USER_OAUTH_CONNECTION", "TAB_VERIFICATION"]
