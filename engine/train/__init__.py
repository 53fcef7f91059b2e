"""Training: a plan that any trainer can follow, small learners of our own, and arms that are compared."""
