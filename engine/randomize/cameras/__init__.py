"""Cameras: where they are and what they keep clear of, ways, lenses, sensors and shutters; see docs/factors.md."""
