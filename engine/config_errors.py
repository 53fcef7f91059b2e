"""What Hydra and OmegaConf complain about, as one line that says what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

LISTS = {"worlds": "[17]", "outputs": "[rgb,depth]", "rig.cameras": "[auto]", "parents": "[]"}  # an example each
KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}  # as OmegaConf names them
# What Hydra and submitit say by errors of Python's own, and what to do instead.
PLAIN_ERRORS = {
    "Config group override must be": "a choice is the name of a file in conf/, such as rig=square",
    "Only one of --run": "-m cannot go with --cfg or --info; leave -m out to see one job's",
    'Could not detect "srun"': "cluster=slurm needs Slurm's srun, which is not here; run this on a node of the cluster",
}
CLOSE = 0.7  # of difflib's ratio: a slip of the fingers, not another word
HINT = re.compile(r"\s*See https://hydra\.cc/\S+")


def unknown_key(key: str, known: Sequence[str], *, above: str = "") -> str:
    """Return the line for a key that nothing reads: the one that was probably meant, then all that are known."""
    if not known and above:
        return f"unknown key '{key}'; {above} is none here; choose one first, such as {above}=NAME"
    near = difflib.get_close_matches(key.rpartition(".")[2], known, n=1, cutoff=CLOSE)
    meant = f" did you mean {near[0]}?" if near else ""
    return f"unknown key '{key}';{meant} known keys{f' of {above}' if above else ''}: {', '.join(known)}"


def plain_error_line(error: ValueError | RuntimeError) -> str | None:
    """Return the line for an error of Python's own that is about the command line; None for any other."""
    return next((line for said, line in PLAIN_ERRORS.items() if str(error).startswith(said)), None)


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
        instead = f"; another law in its place: '~{above}' '+{above}={{law: ...}}'" if "law" in known else ""
        return unknown_key(full_key, known, above=above) + instead
    if isinstance(error, ValidationError):
        return _wrong_value(full_key, said)
    return None


def _wrong_value(key: str, said: str) -> str:
    """Return the line for a value of the wrong type."""
    if "is not a ListConfig" in said:
        return f"{key} needs a list such as {LISTS.get(key, '[a,b]')}"
    wrong = re.match(r"Value '(.*)' of type '.*' could not be converted to (\w+)", said)
    if wrong and wrong[2] in KINDS:
        return f"{key}: '{wrong[1]}' is not {KINDS[wrong[2]]}"
    if said.endswith("is not Optional"):
        return f"{key}: null is no value for it"
    if re.match(r"Cannot assign \w+ to Dict", said):
        return f"{key} needs a mapping such as {{a: b}}"
    return f"{key}: {said}"


def _hydra_line(said: str) -> str:
    """Return Hydra's own message on one line, with the choices of a group where one is unknown."""
    said = HINT.sub("", said)
    for pattern, line in (
        (r"Could not override ''", "an override has no key in front of its '='; write key=value"),
        (r"Error parsing override '(.*)'\s+missing EQUAL", "'{0}' is not an override; write key=value"),
        (r"Ambiguous value for argument '([^=]*)=(.*)'", "{0}={1}: add -m for a dataset each; a list is {0}=[{1}]"),
        (r"Multiple values for (\w+)\.", "{0} is chosen twice; keep one of the two"),
    ):
        found = re.match(pattern, said)
        if found:
            return line.format(*found.groups())
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
