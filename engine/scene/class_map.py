"""Prim paths to classes, as the user says: patterns in a configuration or in a file.

A pattern is a glob over the whole path (`*` and `?` stay within one name, `**` crosses names), or, after `re:`, a
regular expression that must match the whole path. `/World/Trees[*]` means the elements of a PointInstancer. Of the
patterns that match a path the most particular one counts: the one with the most characters that stand for themselves,
and any glob before any regular expression; so their order means nothing.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from engine.scene.error import SceneError

REGEX = "re:"
SCHEMA = "class_map/1"
KEYS = ("schema", "classes")
LARGEST_BYTES = 1 << 24  # of a file; a class map is written by people
WILDCARDS = re.compile(r"(\*\*|\*|\?)")
MEANING = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


class ClassMap:
    """Compiled patterns, which remember whether they ever decided a class."""

    def __init__(self, classes: dict[str, str]) -> None:
        """Compile patterns.

        Raises:
            SceneError: If one is no pattern.
        """
        self._exact = {pattern: key for pattern, key in classes.items() if _is_exact(pattern)}
        ranked = sorted((pattern for pattern in classes if not _is_exact(pattern)), key=_rank)
        self._patterns = [(compile_pattern(pattern), pattern, classes[pattern]) for pattern in ranked]
        self._unused = dict.fromkeys(classes)

    def find(self, path: str) -> str | None:
        """Return the class of a prim's path, if a pattern names one."""
        key = self._exact.get(path)
        if key is not None:
            self._unused.pop(path, None)
            return key
        for regex, pattern, named in self._patterns:
            if regex.fullmatch(path):
                self._unused.pop(pattern, None)
                return named
        return None

    def find_element(self, path: str) -> str | None:
        """Return the class of an element's path, `[id]` included; only patterns that speak of elements count."""
        if path in self._exact:
            return self.find(path)
        for regex, pattern, named in self._patterns:
            if "[" in pattern and regex.fullmatch(path):
                self._unused.pop(pattern, None)
                return named
        return None

    @property
    def unused(self) -> tuple[str, ...]:
        """The patterns that decided nothing so far."""
        return tuple(self._unused)

    def __bool__(self) -> bool:
        return bool(self._exact or self._patterns)


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern.

    Raises:
        SceneError: If it is neither an absolute path or glob nor a regular expression.
    """
    if pattern.startswith(REGEX):
        try:
            return re.compile(pattern.removeprefix(REGEX))
        except re.error as error:
            raise SceneError(f"class map: '{pattern}' is not a regular expression: {error}") from None
    if not pattern.startswith(("/", "*")):
        raise SceneError(f"class map: '{pattern}' is not a prim path; begin it with /, ** or {REGEX}")
    return re.compile("".join(MEANING.get(part, re.escape(part)) for part in WILDCARDS.split(pattern)))


def read_class_map(path: Path) -> dict[str, str]:
    """Return the patterns and classes of a YAML or JSON file: `schema: class_map/1` and `classes: {pattern: class}`.

    Raises:
        SceneError: One line that names the file and what is wrong in it.
    """
    import yaml

    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise SceneError(f"class map '{path}' is larger than {LARGEST_BYTES >> 20} MiB; is it the right file?")
        text = path.read_text("utf-8")
        data = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise SceneError(f"class map '{path}' cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA or not isinstance(data.get("classes"), dict):
        raise SceneError(f"class map '{path}': expected 'schema: {SCHEMA}' and 'classes:', patterns with their classes")
    if odd := sorted(str(key) for key in data if key not in KEYS):
        raise SceneError(f"class map '{path}': unknown key '{odd[0]}'; known keys: {', '.join(KEYS)}")
    for pattern, key in data["classes"].items():
        if not isinstance(pattern, str) or not isinstance(key, str) or (key and not key.strip()):
            raise SceneError(f"class map '{path}': {pattern!r}: {key!r} is not text to text; write both in quotes")
        try:
            compile_pattern(pattern)
        except SceneError as error:
            raise SceneError(f"class map '{path}': {str(error).removeprefix('class map: ')}") from None
    return dict(data["classes"])


def _is_exact(pattern: str) -> bool:
    return pattern.startswith("/") and not WILDCARDS.search(pattern)


def _rank(pattern: str) -> tuple[bool, int, str]:
    is_regex = pattern.startswith(REGEX)
    own = len(pattern) if is_regex else len(WILDCARDS.sub("", pattern))
    return is_regex, -own, pattern
