#compdef muse
# Completion of muse for zsh: source <(muse completions zsh)
_muse() {
    local line word files
    local -a found
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            files=yes
            continue
        fi
        word=${line%%$'\t'*}
        word=${word//:/\\:}
        [[ $line == *$'\t'* ]] && word+=:${line#*$'\t'}
        found+=("$word")
    done < <(muse completions candidates -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( $#found )) && _describe -t muse 'muse' found
    [[ -n $files ]] && _files
}
if [[ $funcstack[1] == _muse ]]; then
    _muse "$@"
else
    compdef _muse muse
fi
