"""Sensors that differ from another one, and each effect of the chain alone in steps of increasing strength."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from engine.plain import from_plain, to_plain
from engine.sensors.model import Sensor

COUNTING = {"chip.full_well_e": 10_000.0, "chip.read_noise_e": 2.5, "chip.mosaic": "rggb"}

# What shows an effect: changes of the ideal sensor, weakest first.
EFFECTS: Mapping[str, tuple[Mapping[str, object], ...]] = MappingProxyType({
    "vignetting": tuple({"lens.vignetting": [a2, 0.0, 0.0]} for a2 in (0.0, -0.15, -0.3, -0.5, -0.8)),
    "lateral_colour": tuple({"lens.aberration": [m, -0.8 * m]} for m in (0.0, 0.001, 0.003, 0.006, 0.012)),
    "glare": tuple({"lens.bloom_share": share, "lens.bloom_radius": 0.15, "lens.bloom_power": 2.3}
                   for share in (0.0, 0.03, 0.08, 0.16, 0.3)),
    "exposure": tuple({"exposure.mode": "auto", "exposure.meter_target": t} for t in (0.03, 0.08, 0.18, 0.35, 0.7)),
    "speed": tuple({**COUNTING, "exposure.iso": iso} for iso in (100.0, 1600.0, 6400.0, 25600.0, 102400.0)),
    "dark_signal": tuple({**COUNTING, "exposure.iso": 3200.0, "exposure.time_s": 1.0, "chip.dark_e_per_s": e,
                          "chip.hot_share": 0.002, "chip.hot_e_per_s": 4.0 * e}
                         for e in (0.0, 10.0, 30.0, 100.0, 300.0)),
    "fixed_pattern": tuple({**COUNTING, "chip.prnu": p, "chip.dsnu_e": 2000.0 * p}
                           for p in (0.0, 0.02, 0.05, 0.1, 0.2)),
    "bits": tuple({"chip.bits": bits, "chip.mosaic": "rggb"} for bits in (12, 8, 6, 5, 4)),
    "demosaic": ({}, {"chip.mosaic": "rggb"}, {"chip.mosaic": "rggb", "develop.demosaic": "bilinear"}),
    "white_balance": tuple({"develop.white_kelvin": kelvin} for kelvin in (3500.0, 5000.0, 6504.0, 9000.0, 15000.0)),
    "contrast": tuple({"develop.contrast": c} for c in (0.7, 0.85, 1.0, 1.25, 1.6)),
    "saturation": tuple({"develop.saturation": s} for s in (0.0, 0.5, 1.0, 1.4, 2.0)),
    "tone": (*({"develop.tone": tone} for tone in ("linear", "gamma", "srgb")),
             *({"develop.tone": "filmic", "develop.headroom_ev": stops} for stops in (1.0, 3.0))),
})  # fmt: skip


def changed(sensor: Sensor, values: Mapping[str, object]) -> Sensor:
    """Return a sensor with other values: `{"chip.bits": 12}`.

    Raises:
        UserError: If a value does not fit, or its key is unknown.
    """
    plain = to_plain(sensor)
    for name, value in values.items():
        part, _, key = name.partition(".")
        plain[part][key] = value
    return from_plain(Sensor, plain, "sensor")
