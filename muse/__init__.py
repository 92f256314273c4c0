"""Muse: version control that a kill cannot hurt."""

__version__ = "0.1.0"
