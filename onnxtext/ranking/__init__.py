"""Networks with labels: read from tables, trained on, and examined."""
