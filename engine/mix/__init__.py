"""Datasets as training data: frames of several, drawn in stated proportions, as arrays, tensors or streams."""
