"""``srlab results``."""
