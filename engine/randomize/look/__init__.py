"""What things look like: materials, patterns, defects, lights, surroundings, and pictures; see docs/factors.md."""
