"""Writing a world back as a layer over its stage."""
