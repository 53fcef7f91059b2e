"""Laws and what is made of them: values, ranges, distributions, groups, re-weightings."""
