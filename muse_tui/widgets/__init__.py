"""What is on the screen: one part a module."""
