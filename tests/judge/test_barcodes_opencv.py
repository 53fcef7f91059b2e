"""OpenCV reads the barcodes of the shop's products, and none whose check digit is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenes_usd.author.retail_art import printed_number, texture_name
from scenes_usd.author.retail_lines import GENUINE, LINES
from tests.judge.readers import read_with

FOLDER = Path(__file__).resolve().parents[2] / "scenes_usd" / "materials" / "textures" / "retail"

pytestmark = pytest.mark.judge


def test_opencv_reads_genuine_barcodes_and_refuses_those_of_counterfeits():
    """It finds most of them in whole labels; each that it reads is the printed number."""
    seen = read_with("barcodes.py", FOLDER)
    read = 0
    for line in LINES:
        digits = seen[texture_name(line, GENUINE).rpartition("/")[2]]
        assert digits in ("", printed_number(line, GENUINE)), line.name
        read += bool(digits)
        if "barcode" in line.signals:
            assert seen[texture_name(line, "barcode").rpartition("/")[2]] != printed_number(line, "barcode"), line.name
    assert read >= len(LINES) // 2
