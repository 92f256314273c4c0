"""muse-tui: the terminal interface of Muse."""
