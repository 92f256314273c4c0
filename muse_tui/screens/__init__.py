"""The main screen with what its keys do, and the boxes above it."""
