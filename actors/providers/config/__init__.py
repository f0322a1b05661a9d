"""Configuration of providers: settings, discovery, checks, circuit breaker and rates."""

from __future__ import annotations
