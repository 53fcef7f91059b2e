"""Labels: what each view sees of each instance."""
