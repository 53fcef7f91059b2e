"""Subdivision surfaces as sparse stencils."""
