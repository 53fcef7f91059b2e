"""What a model gets right and wrong: predictions against ground truth, slice by slice, with intervals."""
