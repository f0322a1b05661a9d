"""Consuming messages from Redis: broker, in-flight messages, notification, failure detection."""

from __future__ import annotations
