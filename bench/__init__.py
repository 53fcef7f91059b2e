"""Measurements: what the product costs, with the device, the scene and the resolution; results in bench/results/."""
