"""The report's figures, each drawn by matplotlib for two widths: a column of a wide page, and a phone."""
