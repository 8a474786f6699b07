"""How results are shown: tables, pictures, the report."""
