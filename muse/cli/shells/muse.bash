# Completion of muse for bash: eval "$(muse completions bash)"
_muse() {
    local word help
    COMPREPLY=()
    while IFS=$'\t' read -r word help; do
        # Where files can stand, an empty answer lets bash complete them itself.
        [[ $word == :files ]] || COMPREPLY+=("$word")
    done < <(muse completions candidates -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o bashdefault -o default -F _muse muse
