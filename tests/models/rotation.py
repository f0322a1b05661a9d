"""A change of SECRET_KEY, in the midst of a test."""

from __future__ import annotations

import dataclasses
from typing import Final

from config import Settings

NEW_KEY: Final = "a-new-secret-key-that-follows-on-the-old-one"


def rotated(settings: Settings, secret_key: str = NEW_KEY) -> Settings:
    """The settings after a change of SECRET_KEY, the former one being known as previous."""
    former = (settings.required_secret_key(), *settings.previous_secret_keys)
    return dataclasses.replace(settings, secret_key=secret_key, previous_secret_keys=former)


def completed(settings: Settings) -> Settings:
    """The settings once SECRET_KEY_PREVIOUS was dropped."""
    return dataclasses.replace(settings, previous_secret_keys=())
