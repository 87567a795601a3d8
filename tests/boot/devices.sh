# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# devices.sh: virtio devices under a Linux that knows nothing of mote. For
# tests/boot/run, which has set $kernel, $fast and $tmp.
# shellcheck disable=SC2154,SC2034

modules="virtio_mmio virtio_blk virtio_net virtio_console virtio-rng"

# drive TEST OPTIONS...: a boot with this mote.test
drive() {
    local test=$1
    shift
    boot "$test" 120 --engine "$fast" --append "$quick quiet mote.test=$test" \
        "$@"
}

# until_said TEXT: the guest in the background; $pid, output in $tmp/out
until_said() {
    local _
    for _ in $(seq $((600 * PATIENCE))); do
        grep -aq "$1" "$tmp/out" && return 0
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

make_ext4() {
    rm -f "$1"
    truncate -s 64M "$1"
    mkfs.ext4 -q -F "$1"
}

# Written, flushed, and the plug pulled: what was flushed is there.
test_disk() {
    local wrote read vm disk=$tmp/disk.img
    wanted disk || return
    command -v mkfs.ext4 >/dev/null || { skip e2fsprogs "no mkfs.ext4"; return; }
    make_ext4 "$disk"
    "$mote" run --kernel "$kernel" --initrd "$initrd" --memory 512M \
        --engine "$fast" --disk "$disk" \
        --append "$quick quiet mote.test=disk-write" \
        >"$tmp/out" 2>"$tmp/err" </dev/null &
    pid=$!
    if ! until_said '^WROTE'; then
        not_ok "disk: ext4 was not written"
        tail -n 5 "$tmp/out" "$tmp/err" | sed 's/^/#   /'
        kill "$pid"
        wait "$pid"
        return
    fi
    timeout 20 "$mote" run --kernel "$kernel" --engine "$fast" \
        --disk "$disk" >"$tmp/out2" 2>"$tmp/err2" </dev/null
    check "disk: a second mote does not get it" [ $? = 1 ]
    check "... and says who has it" grep -q "disk.img" "$tmp/err2"
    vm=$(monitor "$pid")
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    while kill -0 "$vm" 2>/dev/null; do sleep 0.1; done
    wrote=$(sed -n 's/^WROTE \([0-9a-f]*\).*/\1/p' "$tmp/out")
    echo "{ \"metrics\": { \"metrics_path\": \"$tmp/metrics\" } }" \
        >"$tmp/metrics.json"
    drive disk-read --disk "$disk" --config "$tmp/metrics.json"
    expect "disk: ext4 after kill -9 of mote" 0 "^READ" ""
    read=$(sed -n 's/^READ \([0-9a-f]*\).*/\1/p' "$tmp/out")
    check "... what was flushed is there" [ -n "$wrote" -a "$wrote" = "$read" ]
    check "... and was counted, for this drive and all" grep -q \
        '"block_disk0":{"read_count":[1-9][0-9]*,"read_bytes":[0-9]\{7\}.*"block":{"read_count":[1-9]' \
        "$tmp/metrics"
    check "... and the file system is clean" \
        e2fsck -fn "$disk" >"$tmp/fsck" 2>&1
    drive disk-readonly --disk "$disk,ro"
    expect "disk: read-only is read-only" 0 "^READONLY 1" ""
    if grep -aq FAIL "$tmp/out"; then not_ok "disk: it was written"; fi
    drive disk-read --disk "$disk,io=async,direct"
    expect "disk: by io_uring and O_DIRECT" 0 "^READ $wrote" ""
}

# The image below an overlay does not change.
test_overlay() {
    local before disk=$tmp/base.img
    wanted overlay || return
    command -v mkfs.ext4 >/dev/null || { skip e2fsprogs "no mkfs.ext4"; return; }
    make_ext4 "$disk"
    before=$(sha256sum <"$disk")
    drive disk-scratch --disk "$disk,overlay=ephemeral"
    expect "overlay: ephemeral" 0 "^SCRATCH scratch" ""
    check "... the image is as it was" [ "$before" = "$(sha256sum <"$disk")" ]
    drive disk-scratch --disk "$disk,overlay=$tmp/layer"
    expect "overlay: a file" 0 "^SCRATCH scratch" ""
    check "... the image is as it was" [ "$before" = "$(sha256sum <"$disk")" ]
    check "... and the file is there" [ -s "$tmp/layer" ]
}

# pause_in TEST DIR [SIGNAL]: in a mount namespace: a file system with 2 MiB of room, a
# guest that writes 3, and half a second after mote has said so, room, or SIGNAL.
pause_in() {
    local test=$1 dir=$2 signal=${3:-USR1}
    mkdir -p "$dir"
    mount -t tmpfs -o size=4m tmpfs "$dir" || exit 77
    truncate -s 4M "$dir/disk"
    head -c 2M /dev/zero >"$dir/filler"
    : >"$tmp/err"
    timeout -k 5 120 "$mote" run --kernel "$kernel" --initrd "$initrd" \
        --memory 512M --engine "$fast" --append "$quick quiet mote.test=$test" \
        --disk "$dir/disk,on_error=pause" \
        >"$tmp/out" 2>"$tmp/err" </dev/null &
    for _ in $(seq $((600 * PATIENCE))); do
        grep -q "the VM is paused" "$tmp/err" && break
        sleep 0.1
    done
    pkill -P $! -USR1 # too early: it stays paused
    sleep 0.5
    grep -c "^PAUSE" "$tmp/out" >"$tmp/early"
    [ "$signal" != USR1 ] || rm "$dir/filler"
    pkill -P $! "-$signal"
    wait $!
    status=$?
    head -c 3145728 "$dir/disk" | sha256sum >"$tmp/sum"
    exit $status
}

# A full file system: the guest waits, then goes on as if nothing had been.
test_pause() {
    wanted pause || return
    unshare -rm mount -t tmpfs tmpfs "$tmp" 2>/dev/null ||
        { skip userns "no mount in a user namespace"; return; }
    export -f pause_in
    export mote kernel initrd fast quick tmp
    took='?'
    unshare -rm bash -c "pause_in disk-pause '$tmp/full'"
    status=$?
    expect "pause: no room, then room: the guest ends well" 0 "^PAUSE" \
        "ENOSPC.*paused.*make room"
    check "... it stood still until then" [ "$(cat "$tmp/early")" = 0 ]
    check "... and went on" grep -q "the VM goes on after" "$tmp/err"
    check "... and nothing was lost" \
        [ "$(sed -n 's/^PAUSE //p' "$tmp/out" | tr -d '\r')" = "$(cat "$tmp/sum")" ]
    if grep -aq FAIL "$tmp/out"; then not_ok "pause: the guest saw an error"; fi
    unshare -rm bash -c "pause_in disk-pause '$tmp/full' TERM"
    status=$?
    expect "pause: SIGTERM ends a paused VM" 0 "" "stopped by signal SIGTERM"
}

# All the devices there are: root first, each in its slot.
test_disks() {
    wanted disks || return
    truncate -s 1M "$tmp/a"
    truncate -s 2M "$tmp/b"
    drive disks --disk "$tmp/a,id=first" --disk "$tmp/b,id=top,root,ro" --rng
    expect "disks: order, sizes, ids" 0 "^DISKS vda:4096:top vdb:2048:first" \
        "root=/dev/vda ro"
}

test_rng() {
    wanted rng || return
    drive rng --rng
    expect "rng: the guest reads it" 0 "^RNG virtio_rng.0 256 bytes" \
        "exit: entropy rng: [1-9]"
}

test_hvc() {
    wanted hvc || return
    rm -f "$tmp/in"
    mkfifo "$tmp/in"
    : >"$tmp/out"
    (exec 3>"$tmp/in"; pid=$$; until_said '^HVC' && echo hello >&3; sleep 3) &
    timeout -k 5 120 "$mote" run --kernel "$kernel" --initrd "$initrd" \
        --memory 512M --engine "$fast" --console stdio,device=virtio \
        --append "$quick quiet mote.test=hvc" \
        >"$tmp/out" 2>"$tmp/err" <"$tmp/in"
    status=$?
    took='?'
    expect "console: hvc0, both ways" 0 "^GOT hello" "console=hvc0"
    wait
}

# flood NAME: a guest that only prints, to a reader that first sleeps; memory
# of mote's own, in KiB, to $tmp/rss.NAME when it has settled and at the end
flood() {
    local name=$1
    shift
    timeout -k 5 100 "$mote" run --kernel "$kernel" --initrd "$initrd" \
        --memory 256M --engine "$fast" --append "$quick quiet mote.test=flood" \
        --log-path "$tmp/flood.$name" "$@" </dev/null 2>/dev/null |
        { sleep 20; wc -c >"$tmp/bytes.$name"; } &
    sleep 15
    pid=$(pgrep -n -f "flood.$name") # the monitor, which is the youngest
    awk '/^RssAnon/ { print $2 }' "/proc/$pid/status" >"$tmp/rss.$name"
    sleep 45
    awk '/^RssAnon/ { print $2 }' "/proc/$pid/status" >>"$tmp/rss.$name"
    kill "$pid"
    wait
}

# Two floods at once, a minute each. What the reader gets shows that the guest
# did not hang while nobody read.
test_flood() {
    local name
    wanted flood || return
    [ -z "$sanitizer" ] ||
        { skip sanitizer "flood: $sanitizer's memory and speed say nothing"; return; }
    flood serial &
    flood hvc --console stdio,device=virtio &
    wait
    for name in serial hvc; do
        check "flood: $name: memory stays flat ($(xargs <"$tmp/rss.$name") KiB)" \
            awk 'NR == 1 { a = $1 } END { exit !(NR == 2 && $1 - a < 512) }' \
            "$tmp/rss.$name"
        check "... and the reader got $(cat "$tmp/bytes.$name") bytes" \
            [ "$(cat "$tmp/bytes.$name")" -gt 100000 ]
        check "... and SIGTERM ended it" \
            grep -q "stopped by signal SIGTERM" "$tmp/flood.$name"
    done
}

# The terminal's size, by script(1), which gives mote a new one.
test_size() {
    wanted size || return
    command -v script >/dev/null || { skip script "no script(1)"; return; }
    mkfifo "$tmp/keys" # that never end: script(1) would type that
    timeout -k 5 120 script -qefc "stty rows 33 cols 111; '$mote' run \
        --kernel '$kernel' --initrd '$initrd' --memory 512M --engine $fast \
        --console stdio,device=virtio --log-path '$tmp/err' \
        --append '$quick quiet mote.test=size'" /dev/null \
        >"$tmp/out" 2>&1 0<>"$tmp/keys"
    status=$?
    took='?'
    expect "console: hvc0 has the terminal's size" 0 "^SIZE 33 111" ""
}

test_port() {
    wanted port || return
    drive port --port "data=file:$tmp/port"
    expect "console: a named port" 0 "^PORT data" ""
    check "... writes its file" grep -q "^hello from data" "$tmp/port"
}

# Kernels with the drivers built in, without ACPI: from the command line.
test_small() {
    wanted small-devices || return
    if [ -z "${MOTE_SMALL_KERNEL:-}" ]; then
        skip small-kernel "devices without ACPI: MOTE_SMALL_KERNEL is not set"
        return
    fi
    local kernel=$MOTE_SMALL_KERNEL
    truncate -s 2M "$tmp/b"
    boot small-disks 120 --engine "$fast" --disk "$tmp/b,id=x" --rng \
        --append "acpi=off quiet mote.test=disks"
    expect "small kernel, acpi=off: finds the disk" 0 "^DISKS vda:4096:x" \
        "virtio_mmio.device=4K@0xc0001000:5"
    boot small-rng 120 --engine "$fast" --disk "$tmp/b" --rng \
        --append "acpi=off quiet mote.test=rng"
    expect "small kernel, acpi=off: finds the rng" 0 "^RNG virtio_rng.0" ""
}

# shellcheck disable=SC2086
initrd=$(tools/guest initrd tests/boot/devices-init $modules ext4)
test_disk
test_overlay
test_pause
test_disks
test_rng
test_hvc
test_flood
test_size
test_port
test_small
