"""YAML files of people: whatever is in them is data, or one line that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.budget.tuning import read_tuning
from engine.errors import UserError
from engine.evaluate.slices import read_slices
from engine.health.limits import read_limits
from engine.yaml_file import read_yaml


@pytest.mark.parametrize("read", [read_slices, read_tuning, read_limits])
@pytest.mark.parametrize("content", [
    b"[" * 20_000, b"dark: {where: [", b"\xff\xfe\x00", b"!!python/object/apply:os.system [date]", b"day: 2026-13-41",
])  # fmt: skip
def test_what_is_no_data_is_one_line(tmp_path: Path, read: object, content: bytes) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"mine\.yaml cannot be read: [^\n]+$"):
        read(path)  # type: ignore[operator]


def test_data_are_plain(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("a: [1, 2.5, true, null, b]\n")
    assert read_yaml(tmp_path / "mine.yaml") == {"a": [1, 2.5, True, None, "b"]}
