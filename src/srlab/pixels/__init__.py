"""Pictures as files and as arrays: read, written, resized, HR made LR, and two pictures compared."""
