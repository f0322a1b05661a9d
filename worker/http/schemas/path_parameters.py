"""What stands in paths; a name that nothing can have is simply not there, says the layer below."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path

_EXAMPLE_ID: Final = "0b8e4d9c-7c4e-4b8e-9d57-3f2f5f0c1a52"

ConnectionId = Annotated[str, Path(examples=[_EXAMPLE_ID])]
JobId = Annotated[str, Path(examples=[_EXAMPLE_ID])]
ProviderName = Annotated[str, Path(examples=["google"])]
