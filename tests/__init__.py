"""The tests, a package so that they share helpers whatever else is installed under the name `tests`."""
