# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of mote(1) for bash. Commands and options come from mote's own
# help, so this file knows none of them.

_mote_words() {
    "$1" ${2:+"$2"} --help 2>/dev/null | case ${2:-} in
    '') sed -n 's/.*mote \([a-z][a-z-]*\) .*/\1/p' ;;
    *) sed -n 's/^  \(-[a-z], \)\{0,1\}\(--[a-z-]*\).*/\2/p' ;;
    esac
}

_mote() {
    local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD - 1]}
    local mote=${COMP_WORDS[0]} values=

    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_mote_words "$mote")" -- "$word")
        return
    fi
    case $last in
    --engine) values="auto kvm interp" ;;
    --sandbox) values="best full off" ;;
    --seccomp) values="on log" ;;
    --level) values="Off Error Warning Info Debug Trace" ;;
    --console) values="stdio file: unix: off" ;;
    --net) values="user tap= fd=" ;;
    --kernel | --initrd | --rootfs | --config | --config-file | --record | --metadata | --disk | --log-path | --metrics-path | --key | --conf)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        return
        ;;
    *) values=$(_mote_words "$mote" "${COMP_WORDS[1]}") ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
    if [ "${COMP_WORDS[1]}" = check ] && [[ $word != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
    fi
}

complete -F _mote mote
