# Completion of muse for fish: muse completions fish | source
function __muse_candidates
    set -l words (commandline --tokenize --current-process --cut-at-cursor) (commandline --current-token)
    muse completions candidates -- $words[2..-1] 2>/dev/null
end
function __muse_wants_files
    __muse_candidates | string match --quiet ':files'
end
complete --command muse --no-files --arguments '(__muse_candidates | string match --invert ":files")'
complete --command muse --condition __muse_wants_files --force-files
