"""Leases, the renewal journal, and grouped writes of renewals."""

from __future__ import annotations
