"""The language: its grammar, printer, parsers and formatter."""
