"""Files in which an administrator describes mail: read with the place of every value.

A mistake is told as `file:line:column what; did you mean …?`, like those of connectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from connectors.rest.shape import of_shape
from connectors.rest.source import BadDescription, Mistake, Source, parse

Model = TypeVar("Model", bound=BaseModel)


def read(path: Path) -> Source:
    """What the file holds. Raises BadDescription."""
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadDescription([Mistake(str(path), 1, 1, str(error))]) from error


def shaped(source: Source, model: type[Model], models: Sequence[type[BaseModel]]) -> Model:
    """The values as this class; `models` are those whose keys may stand in the file.

    Raises BadDescription, with every mistake.
    """
    try:
        return model.model_validate(source.value)
    except ValidationError as error:
        raise BadDescription(of_shape(source, error, models)) from error
