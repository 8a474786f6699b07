"""``srlab networks``."""
