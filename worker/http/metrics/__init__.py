"""Prometheus metrics over HTTP: this process's own, and those of the whole service."""

from __future__ import annotations
