"""Pictures: which sets there are, where they lie, how they are fetched, and the patches cut from them."""
