"""Named suites: conditions that a model must be good at, made on purpose and verified on the ground truth."""
