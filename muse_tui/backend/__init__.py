"""Everything that the interface asks of Muse: the only package here that imports `muse`.

It runs in the engine's process and in the processes of jobs, never in the interface's own, with
one exception: `drafts`, which go to disk as they are typed.
"""
