"""Telemetry: what a process counts and times, and the spans of its traces."""

from __future__ import annotations
