# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# idle.sh: a guest that does nothing wakes no device thread of mote's. For
# tests/boot/run, after devices.sh, which has set $initrd and until_said.
# shellcheck disable=SC2154

idle_seconds=10

# switches PID: name and voluntary context switches of each thread but main's
# and the vCPUs', and the entropy device's: Linux asks it every few seconds.
switches() {
    local task
    for task in /proc/"$1"/task/*; do
        [ "${task##*/}" = "$1" ] ||
            awk '$1 == "Name:" { name = $2 }
                $1 == "voluntary_ctxt_switches:" && name !~ /^(vcpu|rng)/ {
                    print name, $2 }' "$task/status"
    done
}

test_idle() {
    local before after vm user=()
    wanted idle || return
    truncate -s 1M "$tmp/idle.img"
    command -v passt >/dev/null && unshare -U true 2>/dev/null &&
        user=(--net user)
    : >"$tmp/out"
    "$mote" run --kernel "$kernel" --initrd "$initrd" --memory 512M \
        --engine "$fast" --disk "$tmp/idle.img" --rng "${user[@]}" \
        --console stdio,device=virtio --port "data=unix:$tmp/port.sock" \
        --append "$quick quiet mote.test=idle" \
        >"$tmp/out" 2>"$tmp/err" </dev/null &
    pid=$!
    check "idle: the guest is up" until_said '^IDLE'
    sleep 3 # what it does at start has ended
    vm=$(monitor "$pid")
    before=$(switches "$vm")
    sleep "$idle_seconds"
    after=$(switches "$vm")
    kill "$pid"
    wait "$pid"
    check "idle: no device thread woke in $idle_seconds s ($(
        wc -l <<<"$after") threads)" [ -n "$before" -a "$before" = "$after" ]
    [ "$before" = "$after" ] ||
        diff <(echo "$before") <(echo "$after") | sed 's/^/#   /'
    check "... and the entropy device's only when asked" grep -Eq \
        'entropy rng: ([0-9]+) requests, .* \1 wake-ups' "$tmp/err"
}

test_idle
