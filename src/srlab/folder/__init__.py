"""A study's folder: which files are in it, and what they say."""
