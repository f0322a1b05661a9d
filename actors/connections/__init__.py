"""Stored connections: reading, planning renewals, forecasting ends, revoking."""

from __future__ import annotations
