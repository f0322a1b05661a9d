"""Command line: `python -m worker NOUN VERB`, whose bodies are loaded when they are asked for."""

from __future__ import annotations
