"""Definitions of the commands, one module a noun: their arguments and help; bodies load late."""

from __future__ import annotations
