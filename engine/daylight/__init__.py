"""Sun and sky from published formulas: where the sun is, what the air lets through, how the sky shines."""
