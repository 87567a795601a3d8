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

# beside PID: KiB in memory beside the guest's 512 MiB, of which a part may be
# mapped apart
beside() {
    pmap -x "$1" | awk '$2 + 0 && $2 < 500 * 1024 && /^[0-9a-f]+ / { n += $3 }
        END { print n }'
}

# ticks PID: of CPU time, 100 a second
ticks() {
    awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"
}

test_idle() {
    local before after vm busy kib try user=()
    wanted idle || return
    [ "$sanitizer" != tsan ] ||
        { skip sanitizer "idle: TSan has a thread that wakes"; return; }
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
    vm=$(monitor "$pid")
    for try in 1 2 3; do # it may still be at what it does at start
        sleep 3
        before=$(switches "$vm")
        busy=$(ticks "$vm")
        sleep "$idle_seconds"
        after=$(switches "$vm")
        busy=$(($(ticks "$vm") - busy))
        [ "$before" != "$after" ] || [ "$busy" -gt "$idle_seconds" ] || break
        echo "#   window $try: $busy ms of CPU time a second"
    done
    kib=$(beside "$vm")
    kill "$pid"
    wait "$pid"
    check "idle: no device thread woke in $idle_seconds s ($(
        wc -l <<<"$after") threads)" [ -n "$before" -a "$before" = "$after" ]
    [ "$before" = "$after" ] ||
        diff <(echo "$before") <(echo "$after") | sed 's/^/#   /'
    check "... $busy ms of CPU time a second, at most 10" \
        [ "$busy" -le "$idle_seconds" ]
    [ "$fast" != interp ] || [ -n "$sanitizer" ] ||
        check "... $kib KiB of memory beside the guest's, at most 40 MiB" \
            [ "$kib" -le 40960 ]
    check "... and the entropy device's only when asked" grep -Eq \
        'entropy rng: ([0-9]+) requests, .* \1 wake-ups' "$tmp/err"
}

test_idle
