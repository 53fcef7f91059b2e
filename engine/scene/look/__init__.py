"""Surfaces and images without USD: signals that drive a material, image files, tiles."""
