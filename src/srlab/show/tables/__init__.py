"""Every table, each made once as a `Grid`: whoever shows it chooses its columns and a writer."""
