"""Drafts to frames: scenes and batches on a device, their kernels in order, and the images back."""

from engine.render.kernel_modules import load_kernels
from engine.render.renderer import Outputs, Pending, Renderer

__all__ = ["Outputs", "Pending", "Renderer", "load_kernels"]
