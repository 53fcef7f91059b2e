"""What a YAML file holds, as plain data; one line where it cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from engine.errors import UserError


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:  # of values: no UTF-8, a day that is none
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from error


def read_yaml_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        UserError: If it cannot be read, or holds something else.
    """
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise UserError(f"{path}: expected a mapping of keys to values")
    return {str(key): value for key, value in data.items()}
