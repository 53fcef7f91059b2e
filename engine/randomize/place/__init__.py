"""Places of things: slots, stacks, scatter, settling, shelves, loads, what sticks to things; see docs/placement.md."""
