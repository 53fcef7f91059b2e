"""From a report to weak slices that nobody named: found on one half of the groups, confirmed on the other."""
