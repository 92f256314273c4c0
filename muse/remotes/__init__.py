"""Other repositories: one protocol, one file a medium."""
