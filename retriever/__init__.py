"""Documents to passages to ranked hits: reading files, splitting, embedding, indexing, searching. Knows text and files only."""
