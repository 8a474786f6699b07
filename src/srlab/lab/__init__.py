"""Carrying a study out: plan, sources, runs side by side, and what they leave."""
