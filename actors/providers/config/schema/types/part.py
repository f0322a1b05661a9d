"""Part of a provider's settings: the base of the models that a body is put together from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class SettingsPart(BaseModel):
    """Some of the settings; pydantic prepares the whole alone, when the first body is read."""

    model_config = ConfigDict(defer_build=True)
