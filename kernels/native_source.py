"""The C++ of native functions, put together from the files of `native/`."""

from pathlib import Path


def native(*names: str) -> str:
    """Return the text of some files one after the other; what a file needs comes before it."""
    folder = Path(__file__).parent / "native"
    return "".join((folder / f"{name}.cpp").read_text(encoding="utf-8") for name in names)
