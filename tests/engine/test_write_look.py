"""Files of materials, effects, shadows and deep colour: what is read back is what was rendered."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image

import engine
from engine.annotators import EFFECTS
from engine.dataset.__main__ import main as dataset_main
from engine.errors import UserError
from engine.sensors.color import encoded_srgb
from engine.write.exr import encode_exr, exr_size
from engine.write.look_readback import read_albedo, read_effect, read_hdr, read_rgb16, read_share
from engine.write.look_writers import share_codes
from engine.write.srgb import decode_srgb, encode_srgb

SMALL = ("+scene=tabletop", "count=2", "rig.width=64", "rig.height=48", "rig.exposure_ev=0.7", "device=cpu")
WRITE = ("write=[lossless,look,hdr]", "randomize=[weathered]")
EXACT = (*(f"write.{name}.encoding=npy" for name in ("albedo", "roughness", "metallic", "effect", "shadow")),
         "write.hdr.encoding=exr32")  # fmt: skip


def make(out: Path, *overrides: str) -> Path:
    recipe, job = engine.compose(*SMALL, *WRITE, f"out={out}", *overrides)
    engine.generate(recipe, job)
    return out


def rows(out: Path) -> list[dict[str, Any]]:
    return parquet.read_table(out / "index" / "frames.parquet").to_pylist()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset as conf/write has it."""
    return make(tmp_path_factory.mktemp("small") / "out")


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with every number as rendered."""
    return make(tmp_path_factory.mktemp("exact") / "out", *EXACT)


def test_what_is_read_back_from_small_files_is_what_was_rendered(small: Path, exact: Path) -> None:
    """Within half a code; effects are the same, and only those that are in the frame have a file."""
    for row, other in zip(rows(small), rows(exact), strict=True):
        albedo = read_albedo(exact / other["albedo"])
        assert albedo.dtype == np.float32
        assert encoded_srgb(read_albedo(small / row["albedo"])) == pytest.approx(encoded_srgb(albedo), abs=0.51 / 255)
        for name in ("roughness", "metallic", "shadow"):
            stored, true = read_share(small / row[name]), read_share(exact / other[name])
            is_least = (true > 0.0) & (true < 1.0 / 255)  # which is written as 1, so as not to be nothing
            assert stored[~is_least] == pytest.approx(true[~is_least], abs=0.51 / 255)
            assert (stored[is_least] == np.float32(1.0 / 255)).all()
        effect = read_effect(exact, other)
        assert np.array_equal(read_effect(small, row), effect)
        there = {name for name in EFFECTS if row[f"effect_{name}"] is not None}
        assert there == {name for k, name in enumerate(EFFECTS) if effect[..., k].any()}
        assert {"rust", "stain"} <= there
        lit = np.asarray(Image.open(small / row["shadow_lit"]))
        assert set(np.unique(lit).tolist()) <= {0, 255}
        assert (read_share(exact / other["shadow"])[lit == 0] == 0.0).all()


def test_deep_and_linear_pictures_are_those_of_8_bits(small: Path, exact: Path) -> None:
    """16 and 8 bits are both the linear light under the exposure; half floats are the floats, rounded."""
    for row, other in zip(rows(small), rows(exact), strict=True):
        linear, deep = read_hdr(exact / other["hdr"]), read_rgb16(small / row["rgb16"])
        exposed = linear * np.float32(row["exposure"] * 2.0**0.7)
        assert np.array_equal(deep, encode_srgb(exposed, bits=16))
        rgb = np.asarray(Image.open(small / row["image"]))
        assert np.array_equal(rgb, encode_srgb(exposed, bits=8))
        assert np.abs(deep / 257.0 - rgb).max() < 0.51
        assert len(np.unique(deep)) > 2 * 256
        assert np.array_equal(read_hdr(small / row["hdr"]), linear.astype(np.float16).astype(np.float32))


def test_verify_knows_these_files(small: Path, exact: Path) -> None:
    """Sound ones have no fault, and made again they are the same; a picture of another size is named."""
    assert dataset_main(["verify", str(small), "--regenerate", "1"]) == 0
    assert dataset_main(["verify", str(exact)]) == 0


@pytest.mark.parametrize("role", ["albedo", "effect_rust", "rgb16", "hdr"])
def test_verify_names_a_file_of_another_size(
    small: Path, tmp_path: Path, role: str, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    out = shutil.copytree(small, tmp_path / "out")
    path = out / rows(out)[0][role]
    if path.suffix == ".exr":
        path.write_bytes(encode_exr(np.zeros((48, 63, 3), np.float32), half=True))
    else:
        Image.new("RGB", (63, 48)).save(path)
    assert dataset_main(["verify", str(out)]) == 1
    assert "is 63x48, the index says 64x48" in capsys.readouterr().out


@pytest.mark.parametrize("half", [True, False], ids=["half", "float"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 17), (16, 3), (33, 40)])
def test_openexr_itself_reads_what_is_written(tmp_path: Path, shape: tuple[int, int], half: bool) -> None:
    """Noise, which does not compress, and even colour, which does; channels are not swapped."""
    rng, path = np.random.default_rng(5), tmp_path / "a.exr"
    for image in (rng.normal(size=(*shape, 3)), np.broadcast_to([1.0, 0.5, 70_000.0], (*shape, 3))):
        pixels = image.astype(np.float32)
        path.write_bytes(encode_exr(pixels, half=half))
        stored = np.minimum(pixels, 65504.0).astype(np.float16).astype(np.float32) if half else pixels
        assert np.array_equal(read_hdr(path), stored)
        assert exr_size(path) == (shape[1], shape[0])


@pytest.mark.parametrize("bits", [8, 16])
def test_srgb_codes_are_the_nearest_and_come_back(bits: int) -> None:
    largest = 2**bits - 1
    codes = np.arange(largest + 1, dtype=np.uint8 if bits == 8 else np.uint16)
    assert np.array_equal(encode_srgb(decode_srgb(codes), bits=bits), codes)
    linear = np.random.default_rng(1).uniform(-0.1, 1.1, 20_000).astype(np.float32)
    exact = encoded_srgb(np.clip(linear.astype(np.float64), 0.0, 1.0)) * largest
    assert encode_srgb(linear, bits=bits) == pytest.approx(exact, abs=0.5 + 2e-3)  # of float32


def test_a_share_is_0_only_where_nothing_is() -> None:
    shares = np.array([0.0, 1e-6, 0.5, 0.999999, 1.0], np.float32)
    assert share_codes(shares).tolist() == [0, 1, 128, 255, 255]


def test_a_sensor_has_no_picture_of_16_bits(tmp_path: Path) -> None:
    """One line says what to do, and nothing is made."""
    with pytest.raises(UserError, match=r"write.rgb16: a camera's sensor develops pictures of 8 bits; take sensor="):
        make(tmp_path / "out", "sensor=phone")
    assert not (tmp_path / "out").exists()


def test_without_light_there_are_no_shadows_and_no_colour() -> None:
    for write, output in (("look", "shadow"), ("hdr", "rgb_linear")):
        with pytest.raises(UserError, match=f"quality=labels computes no light, but {output} is asked for"):
            engine.compose(*SMALL, "quality=labels", f"write=[geometry,{write}]")
    engine.compose(*SMALL, "quality=labels", "write=[geometry,look]", "~write.shadow")
