"""Renewal state: leases, the journal, and group-committed writes."""

from __future__ import annotations
