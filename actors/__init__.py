"""Actors: what the service does, one package a capability."""

from __future__ import annotations
