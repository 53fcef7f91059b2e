"""Prims that are drawn, to meshes and placements."""
