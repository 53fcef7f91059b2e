"""Scenes on disk and in other processes: arrays, cache, sandbox, checks of files."""
