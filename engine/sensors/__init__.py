"""What stands between light and what is recorded: parameters of sensors, which a recipe holds, without a device."""
