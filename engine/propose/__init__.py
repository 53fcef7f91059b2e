"""From a report of failures to the next recipe: laws re-weighted towards what fails, checked on what they make."""
