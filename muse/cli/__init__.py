"""The command `muse`: parse, dispatch, render, and turn errors into exit codes."""
