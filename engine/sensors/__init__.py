"""Range sensors: their physical parameters, which a recipe holds, and what they measured as tables on the host."""
