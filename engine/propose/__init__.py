"""From a report of failures to the next recipe: laws re-weighted towards what fails, and whether they do what they say."""
