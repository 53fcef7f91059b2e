"""What a dataset is like and what it lacks: health, balance, coverage of requirements, drift of classes."""
