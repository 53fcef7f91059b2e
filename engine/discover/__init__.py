"""From a report to slices that nobody named: predicates in which a model fails more, found on one half, confirmed on the other."""
