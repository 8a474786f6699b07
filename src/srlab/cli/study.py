"""``srlab study``."""
