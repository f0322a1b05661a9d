"""Derived tokens: a connection's tokens for a scope, resource or audience (RFC 8693)."""

from __future__ import annotations
