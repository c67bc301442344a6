"""Tools that work on models and their texts."""
