"""Data sets: many networks as a table of texts, and what is done with such a table."""
