"""Telemetry of processes: their metrics reach the service's totals, and their spans a collector."""

from __future__ import annotations
