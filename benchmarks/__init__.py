"""Measurements and the demo repository."""
