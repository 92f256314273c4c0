"""The bridge to git: history comes in by `import_` and goes out by `export`.

Objects are git's own, so a SHA-256 repository's ids are the same on both sides. A SHA-1
repository's trees, commits and tags are written anew with mapped ids, and the mapping is kept in
`.muse/bridge/` (`id_table`), so that the next run brings only what is new. Layers, each importing
only what stands above it::

    process                      the git executable: a clean environment, pipes, errors
    convert  waiting             payloads between the two id sizes; those that wait for another
    id_table  id_maps            the durable mapping
    pack_stream                  git's pack format, written
    source  target               a git repository to read, one to write
    boundary  sink  brought      where both sides meet; where objects go; what was met
    import_objects  export_objects
    report  import_refs          what is told; refs and files of the working tree
    import_  export              the two verbs

Git reads and checks its own repositories: nothing here parses git's packs or refs.
"""
