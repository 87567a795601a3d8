# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# drive.sh: what an rbd drive costs the process that faces the guest, and what
# it does to the VM when the cluster is away. Sourced by tests/ceph/run, whose
# functions and variables it uses.
# shellcheck disable=SC2154

# own_kib PID: resident memory of a VM's process, but for huge pages: whether
# the interpreter got one for its blocks is luck
own_kib() {
    awk '$1 == "Rss:" { n += $2 } $1 == "AnonHugePages:" { n -= $2 }
        END { print n }' "/proc/$1/smaps_rollup"
}

# own_rings PID: how much of that is shared with a worker
own_rings() {
    awk '/memfd:mote-rbd/ { ours = 1 }
        /^Rss:/ { if (ours) kib += $2; ours = 0 }
        END { print kib + 0 }' "/proc/$1/smaps"
}

# own_threads PID: their names
own_threads() {
    sort "/proc/$1/task/"*/comm | paste -sd' '
}

own_ready() { # FILE...
    [ "$(cat "$@" | grep -c READY)" = $# ]
}

# The same VM, with its drive in a file and in the cluster.
test_own() {
    local file image more
    wanted own || return
    truncate -s 64M "$tmp/disk"
    timeout -k 5 60 "$mote" run --kernel "$tmp/guest" --memory 32M \
        --engine interp --append hang --disk "$tmp/disk" \
        >"$tmp/file.out" 2>"$tmp/file.err" </dev/null &
    file=$!
    timeout -k 5 60 "$mote" run --kernel "$tmp/guest" --memory 32M \
        --engine interp --append hang --rbd "rbd/io,$(jail_access)" \
        --log-path "$tmp/log" >"$tmp/out" 2>"$tmp/err" </dev/null &
    image=$!
    jail_wait own_ready "$tmp/file.out" "$tmp/out"
    jail_worker
    file=$(monitor "$(pgrep -P $file -x mote)")
    image=$(monitor "$(pgrep -P $image -x mote)")
    check "an image costs no thread: $(own_threads "$image")" \
        [ "$(own_threads "$image")" = "$(own_threads "$file")" ]
    more=$(($(own_kib "$image") - $(own_kib "$file")))
    check "... and its memory is $more KiB more" [ "$more" -le 1024 ]
    kill -KILL "$worker"
    jail_wait grep -q 'starting another' "$tmp/log"
    check "what its keeper says is in the VM's log, stamped" \
        grep -q '^20.*T.* rbd: the worker died of SIGKILL' "$tmp/log"
    jail_worker
    rbd resize --no-progress --size 257M rbd/io
    check "... and what its worker says" \
        jail_wait grep -q '^20.*T.* its size is 269484032 bytes now' "$tmp/log"
    check "... but errors are on stderr, too" \
        grep -q '^20.*T.* rbd: the worker died' "$tmp/err"
    kill %% %-
    wait
}

# Requests that fail after 2 s stop the VM, and go on when the cluster does.
test_pause() {
    wanted pause || return
    start pause rbd/root,timeout=2,on_error=pause
    check "a guest with on_error=pause" until_said "^WRITING"
    ceph_dev pause
    check "... is paused when writes fail" \
        jail_wait grep -q 'drive .*: the VM is paused' "$tmp/err"
    ceph_dev resume
    wait "$pid"
    check "... and goes on with the cluster, without an error" \
        grep -aq '^WROTE, errors 0' "$tmp/out"
}

# The process of rbd-gc that librbd is in, while it looks for a monitor.
test_gc() {
    local gc
    wanted gc || return
    "$mote" rbd-gc rbd --user vm --mon "127.0.0.1:$((port + 99))" \
        --key "$cluster/vm.key" 2>"$tmp/err" &
    gc=$!
    for _ in $(seq 50); do
        worker=$(pgrep -P $gc)
        [ -n "$worker" ] && [ "$(jail_fields Seccomp)" = 2 ] && break
        sleep 0.1
    done
    check "rbd-gc: librbd is in a process with a filter" \
        [ "$(jail_fields Seccomp)" = 2 ]
    check "... and without a capability" \
        [ "$(jail_fields CapBnd)$(jail_fields CapEff)" = 00000000000000000000000000000000 ]
    kill -KILL "$worker"
    wait $gc
    check "... whose death is told, status 1" [ $? = 1 ] &&
        check "... by name" grep -q 'died of SIGKILL' "$tmp/err"
}
