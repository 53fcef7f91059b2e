"""What Hydra and OmegaConf complain about, as one line that says what to write instead."""

from __future__ import annotations

import re


def one_line(error: BaseException) -> str:
    """Return the message of a composition error as one line."""
    from omegaconf.errors import OmegaConfBaseException

    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    if isinstance(root, OmegaConfBaseException):
        line = _omegaconf_line(root)
        if line is not None:
            return line
    return _hydra_line(str(error))


def _omegaconf_line(error: object) -> str | None:
    """Return the line for an unknown key, a wrong type or a missing value; None for what is better said by Hydra."""
    from omegaconf.errors import (
        ConfigAttributeError,
        ConfigKeyError,
        InterpolationKeyError,
        InterpolationResolutionError,
        MissingMandatoryValue,
        ValidationError,
    )

    full_key = str(getattr(error, "full_key", "") or "")
    said = str(getattr(error, "msg", "") or error).splitlines()[0]
    if isinstance(error, MissingMandatoryValue):
        return f"{full_key}: has no value; set it in a file of conf/ or on the command line"
    if isinstance(error, InterpolationKeyError | InterpolationResolutionError):
        return f"{full_key}: {said}; a recipe can only refer to its own keys"
    if isinstance(error, ConfigAttributeError | ConfigKeyError):
        parent = getattr(error, "parent_node", None)
        if parent is None or not hasattr(parent, "keys"):
            return None
        known = tuple(str(key) for key in parent if key != "hydra")
        above = full_key.rpartition(".")[0]
        return f"unknown key '{full_key}'; known keys{f' of {above}' if above else ''}: {', '.join(known)}"
    if isinstance(error, ValidationError):
        return f"{full_key}: {said}"
    return None


def _hydra_line(said: str) -> str:
    """Return Hydra's own message on one line, with the choices of a group where one is unknown."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    unknown = re.search(r"Could not find '([^']+)'", said)
    if unknown:
        group, _, choice = unknown[1].rpartition("/")
        if group == "hydra/launcher":
            return f"no launcher '{choice}'; install it with: pip install 'ommatidia[slurm]'"
        listed = said.partition("Config search path")[0]
        options = tuple(line.strip() for line in listed.splitlines() if line.startswith("\t"))
        if not group or not options:
            return f"no configuration '{unknown[1]}'; known: {', '.join(options) or 'none'}"
        return f"unknown {group} '{choice}'; known: {', '.join(sorted(options))}"
    override = re.search(r"Could not override '([^']+)'", said)
    if override:
        return f"unknown key or choice '{override[1]}'; {' '.join(lines[1:])}"
    return " ".join(lines)
