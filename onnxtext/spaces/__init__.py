"""Spaces of architectures: the networks that a benchmark's specifications stand for."""
