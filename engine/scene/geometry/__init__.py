"""Triangles: polygons, curves and shapes turned into meshes, without USD."""
