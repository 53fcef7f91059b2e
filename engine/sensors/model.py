"""The sensor of a camera: everything between the light in the scene and the 8-bit picture, in physical parameters.

The chain, in order; what is off costs nothing:
lens (lateral colour, vignetting) -> metering -> glare -> exposure -> electrons (photon noise, dark signal, fixed
pattern, full well, read noise) -> converter -> black level and white balance -> demosaic -> colour matrix -> tone.

Exposure. Light is a share of *saturation*, the most that the converter can say at the sensor's ISO speed. Mode `rig`:
radiance 1 times the exposure of rig and camera is the white of the image, `headroom_ev` below saturation. `auto`: a
measured exposure takes the place of the camera's; the stops of rig and randomisers are added to it. `settings`:
aperture, time and ISO do, with those stops; their link with the scene is `LUX_OF_RADIANCE_1`, and the speed is the
saturation-based one of ISO 12232:2019: a luminance of 78 N^2 / (q t S), q = 0.65, saturates.

Electrons. A saturated pixel holds `full_well_e` at `base_iso`, and by its share fewer at a higher speed.
Noise follows the photon-transfer curve (Janesick, Photon Transfer, 2007; EMVA 1288 release 4.0):
variance [e^2] = read_noise_e^2 + (signal + dark) + (prnu * signal)^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]

ExposureMode = Literal["rig", "settings", "auto"]
Mosaic = Literal["none", "rggb", "grbg", "gbrg", "bggr"]
Demosaic = Literal["bilinear", "malvar"]
Tone = Literal["srgb", "filmic", "gamma", "linear"]

LUX_OF_RADIANCE_1 = 500.0  # on a white diffuser, which then has radiance 1: the light of a workplace, EN 12464-1
IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
KELVIN_OF_WHITE = 6504.0  # [K], of the white of sRGB, D65
LARGEST_WELL_E = 1.0e7  # [e-], float32 counts single electrons up to here
# What every view may have of its own: the columns of Draft.sensor, where each is configured, and its range.
SETTINGS = {
    "iso": "exposure", "time_s": "exposure",
    "vignetting_strength": "lens", "aberration_strength": "lens", "bloom_share": "lens",
    "read_noise_e": "chip",
    "white_kelvin": "develop", "contrast": "develop", "saturation": "develop",
    "jpeg_quality": "develop",
}  # fmt: skip
RANGES = {
    "iso": (1.0, 1.0e7),
    "time_s": (1.0e-7, 1.0e4),
    "vignetting_strength": (0.0, 4.0),
    "aberration_strength": (-10.0, 10.0),
    "bloom_share": (0.0, 1.0),
    "read_noise_e": (0.0, 1.0e4),
    "white_kelvin": (1667.0, 25000.0),  # where engine.sensors.color has a black body
    "contrast": (0.1, 10.0),
    "saturation": (0.0, 4.0),
    "jpeg_quality": (0.0, 100.0),
}


@dataclass(frozen=True)
class Lens:
    """What a lens adds to the image of a perfect one."""

    natural_vignetting: float  # share of the cos^4 law, 0: none, 1: all of it; the angle is that of a pinhole
    vignetting: Vector  # a2, a4, a6: 1 + a2 rho^2 + a4 rho^4 + a6 rho^6 passes; rho = 1 half a diagonal from the axis
    vignetting_strength: float  # multiplies the three
    aberration: tuple[float, float]  # magnification of red and of blue, less that of green, relative
    aberration_strength: float  # multiplies the two
    bloom_share: float  # of the light that glare spreads
    bloom_radius: float  # [image heights], standard deviation of its widest Gaussian
    bloom_power: float  # p: glare falls with the distance as 1 / distance^p

    def __post_init__(self) -> None:
        _check(self, **{name: RANGES[name] for name, group in SETTINGS.items() if group == "lens"})
        _check(self, natural_vignetting=(0.0, 4.0), bloom_radius=(1.0e-3, 2.0), bloom_power=(1.0, 6.0))
        if max(map(abs, self.aberration)) > 0.05:
            raise ValueError(f"aberration must be in -0.05..0.05, got {list(self.aberration)}")
        if max(map(abs, self.vignetting)) > 10.0:
            raise ValueError(f"vignetting must be in -10..10, got {list(self.vignetting)}")

    @property
    def is_off(self) -> bool:
        """Return whether lateral colour and vignetting are away."""
        return self.natural_vignetting == 0.0 and not any(self.vignetting) and not any(self.aberration)


@dataclass(frozen=True)
class Exposure:
    """How much of the light counts."""

    mode: ExposureMode  # what decides: the rig, the three settings below, or metering
    f_number: float  # of mode=settings
    time_s: float  # [s], of mode=settings, and what dark current collects
    iso: float  # speed; of mode=settings, and how few electrons make white
    meter_percentile: float | None  # of mode=auto: 0..100 of the luminance of 32 x 32 zones; null: their geometric mean
    meter_target: float  # what it becomes, 1: the white of the image
    meter_low_ev: float  # [stops], least exposure, 0: radiance 1 is white
    meter_high_ev: float  # [stops], most

    def __post_init__(self) -> None:
        _check(self, f_number=(0.1, 1000.0), time_s=RANGES["time_s"], iso=RANGES["iso"], meter_target=(1.0e-3, 1.0))
        _check(self, meter_percentile=(0.0, 100.0), meter_low_ev=(-30.0, 30.0), meter_high_ev=(-30.0, 30.0))
        if self.meter_low_ev > self.meter_high_ev:
            raise ValueError(f"meter_low_ev {self.meter_low_ev:g} is above meter_high_ev {self.meter_high_ev:g}")


@dataclass(frozen=True)
class Chip:
    """The silicon: filters, electrons, noise and converter."""

    full_well_e: float  # [e-], 0: light is not counted, and there is no noise at all
    base_iso: float  # speed at which a full well is the converter's highest number
    read_noise_e: float  # [e-], standard deviation
    dark_e_per_s: float  # [e-/s], dark current
    prnu: float  # standard deviation of the pixels' response, relative
    dsnu_e: float  # [e-], standard deviation of their offsets
    hot_share: float  # of pixels with more dark current
    hot_e_per_s: float  # [e-/s], mean of what they have more, exponentially spread
    serial: int  # which chip: key of its fixed pattern; each camera of the rig has one of its own
    mosaic: Mosaic  # colour filters, from the upper left corner; none: every pixel sees all three channels
    response: Matrix  # relative electrons of raw red, green, blue (rows) for linear sRGB (columns)
    bits: int  # of the converter, 0: none
    black_level: float  # share of its range below 0 electrons, which keeps the noise of dark pixels

    def __post_init__(self) -> None:
        _check(self, full_well_e=(0.0, LARGEST_WELL_E), base_iso=(1.0, 1.0e6), dark_e_per_s=(0.0, 1.0e6))
        _check(self, prnu=(0.0, 0.5))
        _check(self, dsnu_e=(0.0, 1.0e4), hot_share=(0.0, 1.0), hot_e_per_s=(0.0, 1.0e7), black_level=(0.0, 0.5))
        _check(self, serial=(0, 2**32 - 1), bits=(0, 16), read_noise_e=RANGES["read_noise_e"])
        if any(sum(row) <= 0.0 for row in self.response):
            raise ValueError(
                f"every row of response must have a sum above 0, got {[list(row) for row in self.response]}"
            )
        if abs(_determinant(self.response)) < 1.0e-4:
            raise ValueError("response has no inverse: its channels cannot be told apart")


@dataclass(frozen=True)
class Development:
    """From raw numbers to a picture."""

    headroom_ev: float  # [stops] between the white of the image and saturation; filmic shows what is there
    white_kelvin: float  # [K], light that is made grey; 6504: that of sRGB
    auto_white: bool  # grey world, on top of it
    demosaic: Demosaic
    color_matrix: Matrix | None  # linear sRGB from balanced raw; null: the inverse of response
    contrast: float  # exponent about middle grey
    saturation: float  # of colours, 1: as they are
    tone: Tone
    gamma: float  # of tone=gamma
    jpeg_quality: float  # 1..100 of the file, for writers of JPEG, rounded; 0: as the writer says

    def __post_init__(self) -> None:
        _check(self, **{name: RANGES[name] for name, group in SETTINGS.items() if group == "develop"})
        _check(self, headroom_ev=(0.0, 6.0), gamma=(1.0, 3.0))


@dataclass(frozen=True)
class Sensor:
    """A camera's sensor with its lens; see the docstring of this file."""

    lens: Lens
    exposure: Exposure
    chip: Chip
    develop: Development

    @property
    def is_ideal(self) -> bool:
        """Return whether nothing is left but the exposure of the rig and the sRGB curve."""
        chip, develop = self.chip, self.develop
        is_plain = (develop.tone == "srgb" and develop.contrast == develop.saturation == 1.0 and not develop.auto_white
                    and develop.white_kelvin == KELVIN_OF_WHITE and develop.color_matrix is None)  # fmt: skip
        counts = chip.full_well_e > 0.0 or chip.bits > 0 or chip.mosaic != "none" or chip.response != IDENTITY
        return (
            self.lens.is_off
            and self.lens.bloom_share == 0.0
            and self.exposure.mode == "rig"
            and is_plain
            and not counts
        )

    def setting(self, name: str) -> float:
        """Return one of `SETTINGS`."""
        return float(getattr(getattr(self, SETTINGS[name]), name))

    def why_fixed(self, name: str) -> str | None:
        """Return why views cannot differ in one of `SETTINGS`: the step that reads it is left out; None: they can."""
        lens, chip = self.lens, self.chip
        off = {
            "iso": "chip.full_well_e is 0" if chip.full_well_e == 0.0 and self.exposure.mode != "settings" else None,
            "time_s": None if self.exposure.mode == "settings" or chip.dark_e_per_s or chip.hot_share
            else "exposure.mode is not settings, and the chip has no dark current",
            "vignetting_strength": None if any(lens.vignetting) else "lens.vignetting is 0",
            "aberration_strength": None if any(lens.aberration) else "lens.aberration is 0",
            "bloom_share": None if lens.bloom_share else "lens.bloom_share is 0",
            "read_noise_e": None if chip.full_well_e else "chip.full_well_e is 0",
        }  # fmt: skip
        if name == "jpeg_quality":  # of the file, whatever the sensor is
            return None
        return "it is the ideal one" if self.is_ideal else off.get(name)


def _check(of: object, **ranges: tuple[float, float]) -> None:
    for name, (low, high) in ranges.items():
        value = getattr(of, name)
        if value is not None and not low <= value <= high:
            raise ValueError(f"{name} must be in {low:g}..{high:g}, got {value:g}")


def _determinant(m: Matrix) -> float:
    (a, b, c), (d, e, f), (g, h, i) = m
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
