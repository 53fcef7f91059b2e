"""The C++ of native functions, put together from the files of `native/`."""

from pathlib import Path
from typing import Mapping


def native(*names: str, constants: Mapping[str, float] | None = None) -> str:
    """Return the text of some files one after the other; what a file needs comes before it.

    Args:
        names: Files of `native/` without their ending.
        constants: Numbers that the text knows by these names; integers (also members of an IntEnum) stay integers.
    """
    lines = []
    for name, value in (constants or {}).items():
        whole = "int" if value < 2**31 else "unsigned int"
        kind, text = (whole, f"{int(value)}") if isinstance(value, int) else ("float", f"{float(value)!r}f")
        lines.append(f"    const {kind} {name} = {text};\n")
    folder = Path(__file__).parent / "native"
    return "".join(lines) + "".join((folder / f"{name}.cpp").read_text(encoding="utf-8") for name in names)
