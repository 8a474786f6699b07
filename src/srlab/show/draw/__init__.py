"""Every plot and picture, drawn by matplotlib in one style: for the report's page, for papers, as PNG."""
