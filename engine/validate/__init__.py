"""Checks of label folders by arithmetic, ours or anybody's, one file a format; readers accept geometric lies."""
