"""Encoders and per-frame writers: what is written is what is read back by somebody else's decoder."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d

from engine.errors import UserError
from engine.recipe import Output
from engine.write.encode import encode_jpeg, encode_npy, encode_png
from engine.write.measure import measure_luma, measure_rgb, perceptual_hash
from engine.write.plan import read_writers
from engine.write.view import ClassTable, View
from engine.write.writers import (
    Depth,
    Masks,
    Normals,
    depth_to_mm,
    remap_instances,
    write_depth,
    write_masks,
    write_normals,
)

WRITE_CONFIGS = sorted((Path(__file__).parents[2] / "conf" / "write").glob("*.yaml"))
ALL_OUTPUTS = get_args(Output)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (1, 9), (480, 640), (6, 4, 3), (1, 1, 3)])
def test_png_gives_back_every_pixel(dtype: type, shape: tuple[int, ...]) -> None:
    """Pillow reads the pixels that were written; 16-bit colour, which Pillow cannot hold, is read from its bytes."""
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    data = encode_png(pixels)
    image = Image.open(io.BytesIO(data))
    assert image.size == (shape[1], shape[0])
    if dtype == np.uint16 and len(shape) == 3:
        assert np.array_equal(decode_png_by_hand(data), pixels)
    else:
        assert np.array_equal(np.array(image), pixels)


def test_png_of_a_view_is_that_of_its_copy() -> None:
    """Strides do not reach the file: a column-major or sliced array encodes like a plain one."""
    pixels = np.random.default_rng(2).integers(0, 65_536, (20, 30), np.uint16)
    assert encode_png(np.asfortranarray(pixels)) == encode_png(pixels)
    assert encode_png(pixels[::2, 1:7]) == encode_png(pixels[::2, 1:7].copy())


def test_png_refuses_what_it_cannot_hold() -> None:
    """A float image or one of two channels is an error, not a guess."""
    for pixels in (np.zeros((4, 4), np.float32), np.zeros((4, 4, 2), np.uint8)):
        with pytest.raises(ValueError, match="uint8 or uint16"):
            encode_png(pixels)


def test_jpeg_keeps_full_colour_resolution() -> None:
    """A one pixel wide red line on blue stays red: 4:2:0 would mix it with its neighbours."""
    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[..., 2] = 255
    rgb[:, 16] = (255, 0, 0)
    decoded = np.array(Image.open(io.BytesIO(encode_jpeg(rgb, quality=95))))
    assert np.abs(decoded.astype(int) - rgb).max() <= 16


def test_npy_gives_back_every_bit() -> None:
    """Infinity and the last bit survive."""
    depth = np.array([[np.inf, 1.0], [np.float32(1) / 3, 0.0]], np.float32)
    assert np.load(io.BytesIO(encode_npy(depth)), allow_pickle=False).tobytes() == depth.tobytes()


def test_depth_is_rounded_to_millimetres_and_zero_means_nothing() -> None:
    """Nothing and beyond 65.535 m are 0; what is nearer than half a millimetre is 1, not nothing."""
    depth = np.array([[np.inf, 70.0, 65.535, 1.2344, 1.2346, 0.0001]], np.float32)
    assert depth_to_mm(depth).tolist() == [[0, 0, 65535, 1234, 1235, 1]]
    png = write_depth(Depth("png16_mm"), view(depth_m=depth))[0]
    assert png.path == "depth/000/000007.png"
    assert np.array(Image.open(io.BytesIO(png.data))).tolist() == [[0, 0, 65535, 1234, 1235, 1]]
    npy = write_depth(Depth("npy"), view(depth_m=depth))[0]
    assert np.array_equal(np.load(io.BytesIO(npy.data)), depth)


def test_normals_come_back_within_a_step_of_16_bits() -> None:
    """n = (value - 32768) / 32767 recovers each component; the background is 0 0 0."""
    normal = np.array([[[0.0, 0.0, 0.0], [0.0, 0.6, -0.8], [1.0, 0.0, 0.0]]], np.float32)
    stored = decode_png_by_hand(write_normals(Normals(), view(normal=normal))[0].data)
    assert stored[0, 0].tolist() == [0, 0, 0]
    assert (stored[0, 1:].astype(float) - 32768) / 32767 == pytest.approx(normal[0, 1:], abs=2e-5)


def test_masks_hold_instances_and_their_classes() -> None:
    """The instance map holds scene indices, the class map the class of each."""
    instance = np.array([[0, 2, 2], [1, 0, 3]], np.int32)
    files = {file.role: file for file in write_masks(Masks(), view(instance=instance, class_of=(0, 4, 9, 0)))}
    assert np.array(Image.open(io.BytesIO(files["instance_map"].data))).tolist() == instance.tolist()
    assert np.array(Image.open(io.BytesIO(files["class_map"].data))).tolist() == [[0, 9, 9], [4, 0, 0]]
    assert "instance_ids" not in files


def test_masks_of_large_scenes_carry_a_table_of_ids() -> None:
    """With more than 65,535 instances every frame has its own numbering; table[map] is the instance again."""
    class_of = np.zeros(70_001, np.int32)
    class_of[70_000] = 300  # needs a 16-bit class map
    instance = np.array([[0, 70_000], [66_000, 70_000]], np.int32)
    files = {file.role: file for file in write_masks(Masks(), view(instance=instance, class_of=class_of))}
    table = np.array(json.loads(files["instance_ids"].data)["instance"])
    stored = np.array(Image.open(io.BytesIO(files["instance_map"].data)))
    assert np.array_equal(table[stored], instance)
    assert np.array(Image.open(io.BytesIO(files["class_map"].data))).tolist() == [[0, 300], [0, 300]]


def test_a_frame_without_background_still_calls_background_zero() -> None:
    """Position 0 of the table is always instance 0."""
    ids, stored = remap_instances(np.array([[70_000, 70_001]], np.int32))
    assert ids.tolist() == [0, 70_000, 70_001]
    assert stored.tolist() == [[1, 2]]


def test_measured_brightness_is_that_of_the_pixels() -> None:
    """A frame of 10 % white, 4 % grey and black elsewhere; the darkest 5 % reach black, glare is the white part."""
    rgb = np.zeros((10, 50, 3), np.uint8)
    rgb[0] = 255
    rgb[1, :20] = 128
    measured = measure_rgb(rgb)
    luma = rgb.mean(axis=-1)  # of greys
    expected = {"lum_mean": luma.mean() / 255, "lum_std": luma.std() / 255, "lum_p05": 0.0, "sat_frac": 0.1}
    assert {name: measured[name] for name in expected} == pytest.approx(expected)


def test_sharpness_and_noise_are_those_of_their_formulas() -> None:
    """SciPy's convolutions with the kernels as the papers print them are the referee."""
    luma = np.random.default_rng(3).normal(128, 12, (64, 80)).round().clip(0, 255).astype(np.int16)
    laplacian = convolve2d(luma, [[0, 1, 0], [1, -4, 1], [0, 1, 0]], mode="valid")
    both = convolve2d(luma, [[1, -2, 1], [-2, 4, -2], [1, -2, 1]], mode="valid")
    sigma = math.sqrt(math.pi / 2) * np.abs(both).sum() / (6 * (64 - 2) * (80 - 2))
    measured = measure_luma(luma)
    assert measured == pytest.approx({"blur_lap": laplacian.var() / 255**2, "noise_sigma": sigma / 255}, rel=1e-5)
    assert measured["noise_sigma"] == pytest.approx(12 / 255, rel=0.1)


def test_a_scaled_picture_has_nearly_the_same_hash() -> None:
    smooth = gaussian_filter(np.random.default_rng(4).normal(size=(2, 240, 320)), (0, 20, 20))
    one, other = (Image.fromarray(np.interp(p, (p.min(), p.max()), (0, 255)).astype(np.uint8)) for p in smooth)
    bits = perceptual_hash(one)
    assert (bits ^ perceptual_hash(one.resize((160, 120)))).bit_count() <= 4
    assert 16 <= (bits ^ perceptual_hash(other)).bit_count() <= 48
    canvas = np.asarray(one.resize((32, 32), Image.Resampling.BOX), np.float64)
    low = dctn(canvas)[:8, :8].ravel()  # SciPy's transform is the referee
    assert [bits >> number & 1 for number in range(64)] == (low > np.median(low)).tolist()
    assert measure_rgb(np.full((8, 8, 3), 200, np.uint8))["lum_p05"] == pytest.approx(200 / 255)


@pytest.mark.parametrize("path", WRITE_CONFIGS, ids=lambda path: path.stem)
def test_every_write_configuration_fits_its_writers(path: Path) -> None:
    """conf/write holds every key that the writers have, and no other."""
    write = yaml.safe_load(path.read_text(encoding="utf-8"))
    writers = read_writers(write, ALL_OUTPUTS)
    assert len(writers.frame) + len(writers.dataset) == len(write)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        ({"a": {"kind": "imagse"}}, "write.a: unknown writer kind 'imagse'; known kinds: .*images.*masks"),
        ({"a": {"kind": "depth", "encodign": "npy"}}, "write.a: unknown key 'encodign'; known keys: encoding"),
        ({"a": {"kind": "depth", "encoding": "exr"}}, "write.a.encoding: 'exr' is not one of: png16_mm, npy"),
        ({"a": {"kind": "images", "format": "jpg", "quality": 0}}, "quality must be in 1..100"),
        ({"a": {"kind": "masks"}, "b": {"kind": "masks"}}, "write.b and write.a are both of kind masks"),
        ({"a": {"kind": "coco", "min_area_px": 1}}, "refers to files of the writer kind images"),
    ],
)
def test_a_wrong_write_configuration_says_what_is_known(write: dict[str, dict[str, object]], message: str) -> None:
    """One line that names the key and the known ones."""
    with pytest.raises(UserError, match=message):
        read_writers(write, ALL_OUTPUTS)


def test_a_writer_whose_output_is_not_rendered_is_refused() -> None:
    """Nothing is left out silently."""
    with pytest.raises(UserError, match=r"write.depth needs the output depth; add it to outputs, or take ~write.depth"):
        read_writers({"depth": {"kind": "depth", "encoding": "npy"}}, ("rgb",))


def view(class_of: object = (0,), **arrays: np.ndarray) -> View:
    ids = np.array(class_of, np.int32)
    images = {name: arrays.get(name) for name in ("rgb", "depth_m", "normal", "instance")}
    return View(stem="000/000007", classes=ClassTable(ids, int(ids.max())), **images)


def decode_png_by_hand(data: bytes) -> np.ndarray:
    """Decode a PNG of one IDAT chunk with filter `up`, by the specification alone (Pillow holds no 16-bit colour)."""
    import struct
    import zlib

    width, height, bits, color_type = struct.unpack(">IIBB", data[16:26])
    start = data.index(b"IDAT")
    (size,) = struct.unpack(">I", data[start - 4 : start])
    channels = 3 if color_type == 2 else 1
    lines = np.frombuffer(zlib.decompress(data[start + 4 : start + 4 + size]), np.uint8).reshape(height, -1)
    assert (lines[:, 0] == 2).all()
    raw = np.cumsum(lines[:, 1:], axis=0, dtype=np.uint8)
    pixels = np.ascontiguousarray(raw).view(f">u{bits // 8}").reshape(height, width, channels)
    return pixels if channels == 3 else pixels[..., 0]
