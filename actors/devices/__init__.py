"""Device flow (RFC 8628): a device is connected by a code that its user enters."""

from __future__ import annotations
