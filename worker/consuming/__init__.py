"""Consuming messages from Redis: the broker, in-flight messages, notification."""

from __future__ import annotations
