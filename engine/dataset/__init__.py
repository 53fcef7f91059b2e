"""Datasets on disk: completing, describing and checking them."""
