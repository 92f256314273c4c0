"""The proof against crashes, run on the user's own machine: record, cut, look.

A command is run once while its file-system calls are recorded (`recorder`); from the recording
come the states that a kill or a power cut may leave (`models`); each is written out and judged as
the next command would find it (`judge`). `run` does that for the everyday commands.
"""
