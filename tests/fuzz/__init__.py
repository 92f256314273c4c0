"""Every parser of the repository's own files, fed with anything."""
