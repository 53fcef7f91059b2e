"""The arguments with which an MDL module calls a known material: `export material Oak(*) = OmniPBR(...)`.

Only literal values are understood: numbers, truth values, strings, `color(...)`, `floatN(...)`, `texture_2d("...")`,
and parameters whose default is one of them. Nothing is executed.
Source: NVIDIA Material Definition Language 1.8 specification, section 13 (materials).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_BYTES = 4 << 20
COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.S)
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?[fFdD]?$")
CALL = re.compile(r"(?:::)?(?:\w+::)*(\w+)\s*\(")
BRACKETS = {"(": ")", "[": "]", "{": "}"}
VECTORS = ("color", "float2", "float3", "float4", "double2", "double3", "int2", "int3")


@dataclass(frozen=True)
class MdlTexture:
    """A `texture_2d` literal."""

    path: str  # as the module has it, relative to its folder
    gamma: str  # "auto", "raw" or "sRGB"


MdlValue = float | str | tuple[float, ...] | MdlTexture


@dataclass(frozen=True)
class MdlCall:
    """What a material is made of."""

    base: str  # the material that it calls, such as OmniPBR
    arguments: dict[str, MdlValue] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)  # argument -> the parameter that it is passed from


def read_call(text: str, material: str) -> MdlCall | None:
    """Return what `export material <material>` calls, or None where it is no such call."""
    text = COMMENT.sub(lambda match: match.group(1) or " ", text)
    found = re.search(rf"export\s+material\s+{re.escape(material)}\s*\(", text)
    if found is None:
        return None
    end = _closing(text, found.end() - 1)
    defaults = _defaults(text[found.end() : end])
    rest = _without_annotations(text[end + 1 :]).lstrip()
    if not rest.startswith("="):
        return None
    call = CALL.match(rest[1:].lstrip())
    if call is None:
        return None
    body = rest[1:].lstrip()
    arguments: dict[str, MdlValue] = {}
    parameters: dict[str, str] = {}
    for part in _parts(body[call.end() : _closing(body, call.end() - 1)]):
        name, colon, value = part.partition(":")
        if not colon or value.startswith(":"):
            continue
        name, value = name.strip(), value.strip()
        if value in defaults:
            parameters[name] = value
            value = defaults[value]
        literal = _literal(value)
        if literal is not None:
            arguments[name] = literal
    return MdlCall(call.group(1), arguments, parameters)


def _defaults(text: str) -> dict[str, str]:
    """Return the default of every parameter as text."""
    out = {}
    for part in _parts(_without_annotations(text)):
        left, equals, right = part.partition("=")
        if equals and left.split():
            out[left.split()[-1]] = right.strip()
    return out


def _without_annotations(text: str) -> str:
    return re.sub(r"\[\[.*?\]\]", " ", text, flags=re.S)


def _closing(text: str, start: int) -> int:
    """Return the position of the bracket that closes the one at `start`, or the end of the text."""
    stack: list[str] = []
    quoted = False
    for position in range(start, len(text)):
        letter = text[position]
        if letter == '"' and text[position - 1] != "\\":
            quoted = not quoted
        elif quoted:
            continue
        elif letter in BRACKETS:
            stack.append(BRACKETS[letter])
        elif stack and letter == stack[-1]:
            stack.pop()
            if not stack:
                return position
    return len(text)


def _parts(text: str) -> list[str]:
    """Split at the commas that are not within brackets or quotes."""
    out, depth, quoted, start = [], 0, False, 0
    for position, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "," and depth == 0:
            out.append(text[start:position])
            start = position + 1
    return [part for part in (*out, text[start:]) if part.strip()]


def _literal(text: str) -> MdlValue | None:
    if text in ("true", "false"):
        return float(text == "true")
    if NUMBER.match(text):
        return float(text.rstrip("fFdD"))
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1]
    call = CALL.match(text)
    if call is None:
        return None
    inner = _parts(text[call.end() : _closing(text, call.end() - 1)])
    if call.group(1) == "texture_2d":
        path = inner[0].strip().strip('"') if inner else ""
        gamma = inner[1] if len(inner) > 1 else ""
        space = "sRGB" if "gamma_srgb" in gamma else "raw" if "gamma_linear" in gamma else "auto"
        return MdlTexture(path, space) if path else None
    if call.group(1) in (*VECTORS, "float", "double", "int"):
        numbers = tuple(_literal(part.strip()) for part in inner)
        if all(isinstance(number, float) for number in numbers) and numbers:
            known = tuple(number for number in numbers if isinstance(number, float))
            count = int(call.group(1)[-1]) if call.group(1)[-1].isdigit() else 3 if call.group(1) == "color" else 1
            return known if len(known) == count and count > 1 else known[:1] * count if count > 1 else known[0]
    return None
