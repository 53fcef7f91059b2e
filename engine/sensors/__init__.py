"""What stands between light and what is recorded."""
