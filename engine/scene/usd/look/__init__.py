"""Materials, networks and textures of a stage."""
