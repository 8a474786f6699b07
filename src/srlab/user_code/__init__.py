"""Python code of a user: read and run, told apart, and what it declares. Needs no torch."""
