# SPDX-License-Identifier: Apache-2.0
# net.sh: TCP both ways through virtio-net, content verified. For
# tests/boot/run behind devices.sh: $kernel, $fast, $tmp and until_said.
# shellcheck shell=bash disable=SC2034,SC2154

net_megabytes=${MOTE_TEST_NET_MB:-$((100 / PATIENCE))}
netns=() # what runs a command in the network of the test
user=()  # what runs it as somebody else

# net_guest OPTIONS...: a guest in the background until it is READY; $pid
net_guest() {
    : >"$tmp/out"
    timeout -k 5 300 "${netns[@]}" "${user[@]}" "$mote" run --kernel "$kernel" --initrd "$net_initrd" \
        --memory 512M --engine "$fast" "$@" \
        >"$tmp/out" 2>"$tmp/err" </dev/null &
    pid=$!
    from=$EPOCHREALTIME
    until_said '^READY'
}

# net_transfer NAME HOST PORT PORT: to a guest that is READY, and its end
net_transfer() {
    "${netns[@]}" tests/boot/net-peer "$2" "$3" "$4" "$net_megabytes" \
        >"$tmp/peer" 2>&1
    peer=$?
    [ $peer = 0 ] || kill "$pid"
    wait "$pid"
    status=$?
    took=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $from }")
    expect "$1" 0 "^DONE $((net_megabytes << 20)) bytes; errors 0" ""
    sed 's/^/# /' "$tmp/peer"
    check "... the same bytes came back" [ $peer = 0 ]
}

# Two free ports, below those that the kernel gives to anybody who asks.
free_ports() {
    python3 -c 'import random, socket
found = []
while len(found) < 2:
    s = socket.socket()
    port = random.randrange(20000, 30000)
    try:
        s.bind(("", port))
        found.append(s)
    except OSError:
        s.close()
print(*(s.getsockname()[1] for s in found))'
}

# Nobody's, who may open no device node: privilege is not what it takes.
test_net_user() {
    local to back user=() mote=$mote kernel=$kernel net_initrd=$net_initrd
    wanted net-user || return
    command -v passt >/dev/null || { skip passt "no passt here"; return; }
    # passt jails itself.
    unshare -U true 2>/dev/null ||
        { skip userns "no user namespace, which passt needs"; return; }
    if [ "$(id -u)" = 0 ]; then
        user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
        cp "$mote" "$tmp/mote" && cp "$kernel" "$tmp/kernel" &&
            cp "$net_initrd" "$tmp/net_initrd" && chmod 755 "$tmp" || return
        chmod 644 "$tmp/kernel" "$tmp/net_initrd"
        mote=$tmp/mote kernel=$tmp/kernel net_initrd=$tmp/net_initrd
    fi
    read -r to back < <(free_ports)
    net_guest --append "$quick quiet" --net "user,tcp=$to:5000,tcp=$back:5001"
    # TSan's thread keeps the jail from most of its namespaces.
    [ "$sanitizer" = tsan ] || check "net: an unprivileged user's guest, jailed" \
        grep -q 'isolation: full' "$tmp/err"
    check "net: DHCP from passt" grep -aq "^LEASE [0-9.]* router" "$tmp/out"
    net_transfer "net: TCP both ways over passt" 127.0.0.1 "$to" "$back"
    check "... and passt is gone" [ -z "$(pgrep -f "passt .*$to:5000")" ]
}

test_net_tap() {
    local keeper
    wanted net-tap || return
    if ! make_tap 10.77.8.1/24; then
        skip netns "no network namespace, or no /dev/net/tun"
        return
    fi
    net_guest --append "$quick quiet mote.ip=10.77.8.2" \
        --net tap=mote0,mac=02:00:00:00:00:77
    check "net: the MAC is the one given" \
        grep -aq "^READY 02:00:00:00:00:77 1500" "$tmp/out"
    net_transfer "net: TCP both ways over a tap" 10.77.8.2 5000 5001
    netns=()
    kill "$keeper"
    wait "$keeper" 2>/dev/null
}

# shellcheck disable=SC2086
net_initrd=$(tools/guest initrd tests/boot/net-init $modules)
test_net_user
test_net_tap
