"""Whether a batch of data enters training: checks that stop it, what it does to a model, and a verdict on record."""
