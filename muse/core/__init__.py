"""Storage and history: never prints, never exits, reads no environment."""
