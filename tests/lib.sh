# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# lib.sh: what the shell tests share. Source it, call ok/not_ok/skip, end with
# "finish".
passed=0
failed=0
skipped=0

# sanitizer: of the mote that is tested, "asan", "tsan" or nothing
sanitizer=$(grep -aom1 '__[at]san_init' "${MOTE:-./mote}" 2>/dev/null)
sanitizer=${sanitizer#__}
sanitizer=${sanitizer%_init}

# PATIENCE: how many times as long as without a sanitizer all may take. Every
# limit goes by it: timeout(1) here is tests/patience/timeout, loops that wait
# count to "$((N * PATIENCE))".
case $sanitizer in
asan) : "${PATIENCE:=4}" ;;
tsan) : "${PATIENCE:=8}" ;;
*) : "${PATIENCE:=1}" ;;
esac
export PATIENCE
# Check's limits are of seconds; a busy machine is slow.
export CK_TIMEOUT_MULTIPLIER=${CK_TIMEOUT_MULTIPLIER:-$((5 * PATIENCE))}
[ "$PATIENCE" = 1 ] || PATH=$PWD/tests/patience:${PATH#"$PWD/tests/patience:"}

ok() {
    passed=$((passed + 1))
    echo "ok - $*"
}

not_ok() {
    failed=$((failed + 1))
    echo "not ok - $*"
}

# skip WORD TEXT: WORD in $REQUIRE (comma-separated) makes the skip a failure
skip() {
    case ",${REQUIRE:-}," in
    *",$1,"*) not_ok "$2 (required: $1)" ;;
    *)
        skipped=$((skipped + 1))
        echo "skip - $2"
        ;;
    esac
}

# check TEXT COMMAND...: ok when the command succeeds
check() {
    local text=$1
    shift
    if "$@"; then ok "$text"; else not_ok "$text"; fi
}

# monitor PID: of mote with that PID, the process in the jail, which is the VM
monitor() {
    pgrep -P "$1" -x mote
}

# make_tap ADDRESS: a tap, mote0, in a network namespace that a sleeping process,
# $keeper, keeps; "${netns[@]}" runs a command there. False: not on this host.
make_tap() {
    unshare -n true 2>/dev/null && [ -w /dev/net/tun ] || return
    unshare -n sleep $((1000 * PATIENCE)) &
    keeper=$!
    until [ "$(readlink "/proc/$keeper/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do
        sleep 0.1
    done
    netns=(nsenter -t "$keeper" -n)
    "${netns[@]}" ip tuntap add dev mote0 mode tap
    "${netns[@]}" ip addr add "$1" dev mote0
    "${netns[@]}" ip link set mote0 up
}

finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}
