"""``srlab evaluate``."""
