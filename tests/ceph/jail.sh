# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# jail.sh: a worker looked at from outside, through /proc; and hosts that lack
# something. Sourced by tests/ceph/run, whose functions and variables it uses.
# shellcheck disable=SC2154

jail_access() {
    echo "user=vm,mon=127.0.0.1:$port,key=$cluster/vm.key"
}

# jail_mote RBD OPTIONS...: a guest that runs for ever and asks for nothing; for "&"
jail_mote() {
    exec timeout -k 20 150 "$mote" run --kernel "$tmp/guest" --memory 32M \
        --engine interp --append hang --rbd "$1,$(jail_access)" "${@:2}"
}

# The worker below this script whose filters are both there, on all threads.
jail_worker() {
    local _
    for _ in $(seq 100); do
        worker=$(mine rbd-worker)
        [ -n "$worker" ] && [ "$(jail_fields Seccomp_filters)" = 2 ] && return
        sleep 0.1
    done
    return 1
}

# jail_fields NAME: of every thread, each value once
jail_fields() {
    awk -v name="$1:" '$1 == name { print $2 }' \
        "/proc/$worker/task/"*/status 2>/dev/null | sort -u | paste -sd' '
}

# jail_fds: the descriptors' kinds, in order
jail_fds() {
    local fd
    for fd in "/proc/$worker/fd/"*; do
        readlink "$fd"
    done 2>/dev/null | sed -e 's/:\[[0-9]*\]//' -e "s|$tmp/||" | sort |
        uniq -c | awk '{ print $2 "=" $1 }' | paste -sd' '
}

jail_look() { # NAME
    local set ns own=
    check "$1: every thread is filtered" [ "$(jail_fields Seccomp)" = 2 ]
    check "$1: ... and gains nothing by exec" [ "$(jail_fields NoNewPrivs)" = 1 ]
    for set in CapInh CapPrm CapEff CapBnd CapAmb; do
        check "$1: $set is empty" [ "$(jail_fields $set)" = 0000000000000000 ]
    done
    if ! readlink "/proc/$worker/ns/mnt" >/dev/null; then
        skip root "$1: only root looks into the jail"
        return
    fi
    for ns in user mnt ipc uts cgroup net; do
        [ "$(readlink "/proc/$worker/ns/$ns")" = "$(readlink "/proc/self/ns/$ns")" ] ||
            own+="$ns "
    done
    check "$1: namespaces are its own, but the network: $own" \
        [ "$own" = "user mnt ipc uts cgroup " ]
    check "$1: one mount, read-only" \
        [ "$(awk '{ print $5, $6 }' "/proc/$worker/mountinfo")" = \
        '/ ro,nosuid,nodev,noexec,relatime' ]
    check "$1: nothing is in it" [ -z "$(ls -A "/proc/$worker/root/")" ]
    check "$1: no environment" [ -z "$(tr -d '\0' <"/proc/$worker/environ")" ]
    check "$1: no core" [ "$(awk '/^Max core/ { print $(NF - 1) }' \
        "/proc/$worker/limits")" = 0 ]
    # stdio; stderr, the log's and the library's; to stop; three eventfds; four
    # loops and what watches stderr; a pipe each for three of them; the monitor
    # and the OSD. No key, no memory file: those are read and mapped.
    own=$(jail_fds)
    check "$1: descriptors: $own" [ "$own" = \
        "/dev/null=3 anon_inode:[eventfd]=3 anon_inode:[eventpoll]=4 err=1 pipe=7 socket=2" ]
}

jail_clones() {
    rbd ls | grep -c '^mote-'
}

# wait_for COMMAND...: for 20 s at most
jail_wait() {
    local _
    for _ in $(seq 100); do
        "$@" && return
        sleep 0.2
    done
    return 1
}

# A cgroup that can be made, of any controller, or nothing.
jail_group() {
    local dir
    for dir in /sys/fs/cgroup/pids /sys/fs/cgroup; do
        mkdir "$dir/mote-ceph.$$" 2>/dev/null || continue
        [ -e "$dir/mote-ceph.$$/cgroup.procs" ] && echo "$dir/mote-ceph.$$"
        rmdir "$dir/mote-ceph.$$" && return
    done
}

# jail_is_in GROUP PID
jail_is_in() {
    grep -qx "$2" "$1/cgroup.procs"
}

# The VM's cgroup has its workers, also the second one; not who keeps them.
jail_cgroup() {
    local pid first group
    group=$(jail_group)
    [ -n "$group" ] || { skip cgroup "no cgroup to be made here"; return; }
    echo "{ \"sandbox\": { \"cgroup\": \"$group\" } }" >"$tmp/group.json"
    jail_mote rbd/io --config "$tmp/group.json" >"$tmp/out" 2>"$tmp/err" </dev/null &
    pid=$!
    jail_worker || { not_ok "a worker in a cgroup: $(cat "$tmp/err")"; return; }
    check "a cgroup has the worker" jail_is_in "$group" "$worker"
    first=$worker
    kill -KILL "$worker"
    jail_worker
    check "... and the second one" [ "$worker" != "$first" ]
    check "... too" jail_is_in "$group" "$worker"
    check "... and not the keeper" \
        [ -z "$(grep -x "$(mine rbd-keeper)" "$group/cgroup.procs")" ]
    kill -TERM "$pid"
    wait "$pid"
    check "... and goes with the VM: $(tail -n 1 "$tmp/err")" [ ! -e "$group" ]
}

# A VM on a clone: looked at, its worker killed, its image resized, its end.
jail_vm() {
    local pid first clone
    rbd create --size 16M gold && rbd snap create --no-progress gold@v1
    jail_mote rbd/gold@v1,clone >"$tmp/out" 2>"$tmp/err" </dev/null &
    pid=$!
    jail_worker || { not_ok "a worker in its jail: $(cat "$tmp/err")"; return; }
    jail_look worker
    first=$worker
    kill -KILL "$worker"
    jail_worker
    check "a second worker, after the first was killed" [ "$worker" != "$first" ]
    check "... is in a jail as well" [ "$(jail_fields CapEff)" = 0000000000000000 ]
    clone=$(rbd ls | grep '^mote-')
    rbd resize --no-progress --size 24M "$clone"
    check "... sees the image grow" jail_wait grep -q \
        'its size is 25165824 bytes now' "$tmp/err"
    ceph_dev kill osd.0
    ceph_dev start osd.0
    rbd ls >"$tmp/ls" # which takes until it is back
    kill -TERM "$pid"
    wait "$pid"
    check "... outlives the OSD, and removes the clone" \
        [ "$(jail_clones)" = 0 ]
    check "... and made no call that is not allowed" \
        [ "$(grep -c 'system call' "$tmp/err")" = 0 ]
}

# jail_as NAME COMMAND...: rbdio through COMMAND, with a key that all may read
jail_as() {
    chmod 711 "$tmp" "$cluster"
    chmod 644 "$cluster/vm.key"
    cp "$rbdio" "$tmp/rbdio"
    {
        echo '#!/bin/bash'
        printf 'exec'
        printf ' %q' "${@:2}" "$tmp/rbdio"
        echo ' "$@"'
    } >"$tmp/as"
    chmod 755 "$tmp/as"
    rbdio=$tmp/as io 30 verify 1
    io_ok "$1"
}

jail_hosts() {
    if [ "$(id -u)" = 0 ]; then
        jail_as "as nobody" setpriv --reuid 65534 --regid 65534 --clear-groups
        check "... with nothing missing" [ ! -s "$tmp/err" ]
    else
        skip root "only root becomes nobody"
    fi
    unshare -U true 2>/dev/null || { skip userns "no user namespaces"; return; }
    jail_as "where namespaces are refused" unshare -Ur sh -c \
        'echo 0 >/proc/sys/user/max_user_namespaces &&
            exec setpriv --bounding-set=-all "$@"' sh
    check "... which is told, with what to do" grep -q \
        "worker's isolation: lite; missing: .*max_user_namespaces is 0" "$tmp/err"
}

# jail_hidden LIBRARY COMMAND...: where that is no library
jail_hidden() {
    # shellcheck disable=SC2016
    unshare -rm sh -c 'mount --bind /dev/null \
        "$(ldconfig -p | awk -v l="$1" "\$1 == l { print \$NF; exit }")" &&
        shift && exec "$@"' sh "$@"
}

jail_libraries() {
    local lib
    unshare -rm true 2>/dev/null || { skip userns "no mounts here"; return; }
    for lib in librados.so.2 librbd.so.1; do
        jail_hidden "$lib" timeout 20 "$mote" run --kernel "$tmp/guest" \
            --memory 32M --engine interp --append hang --level Error \
            --rbd "rbd/io,$(jail_access)" >"$tmp/out" 2>"$tmp/err" </dev/null
        status=$?
        check "without $lib: status 1" [ "$status" = 1 ]
        check "... and one line" [ "$(wc -l <"$tmp/err")" = 1 ]
        check "... which says what to install" grep -q \
            "cannot load $lib .*; .*librbd1" "$tmp/err"
    done
    jail_hidden librbd.so.1 timeout 20 "$mote" run --kernel "$tmp/guest" \
        --memory 32M --engine interp >"$tmp/out" 2>"$tmp/err" </dev/null &
    jail_wait grep -q READY "$tmp/out"
    check "without it, and without a drive that needs it, all is well" \
        grep -q READY "$tmp/out"
    kill $!
    wait $! 2>/dev/null
}

test_guest() {
    ${CC:-gcc} -Itests/guest -nostdlib -static -no-pie -Wl,--build-id=none \
        -Wl,--no-warn-rwx-segments -Wl,-T,tests/guest/guest.ld \
        -Wl,-z,noexecstack -o "$tmp/guest" tests/cli/guest.S
}

test_jail() {
    wanted jail || return
    jail_vm
    jail_cgroup
    jail_hosts
    jail_libraries
}
