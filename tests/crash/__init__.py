"""Kills and errors at every call, judged by one oracle."""
