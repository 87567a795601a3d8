# SPDX-License-Identifier: Apache-2.0
# metadata.sh: what a guest hears from the metadata service, over passt and over
# a tap, where none of it may be seen. For tests/boot/run behind net.sh.
# shellcheck shell=bash disable=SC2034,SC2154

metadata_data() {
    python3 -c 'import json, random
random.seed(1)
text = "".join(random.choice("abcdefghijklmnopqrstuvwxyz \n") for _ in range(45000))
print(json.dumps({"latest": {"user-data": text,
      "meta-data": {"local-hostname": "web", "n": [1, 2.5]}}}, indent=1))
open("'"$tmp"'/user-data", "w").write(text)' >"$tmp/metadata.json"
}

# metadata_heard NAME UNASKED: what the guest's console says of it
metadata_heard() {
    expect "$1" 0 "^UNASKED $2" ""
    check "... the names" grep -aq '^NAMES meta-data/ user-data' "$tmp/out"
    check "... a text" grep -aq '^VALUE web.$' "$tmp/out"
    check "... JSON" grep -aqF 'JSON {"local-hostname":"web","n":[1,2.5]}' "$tmp/out"
    check "... 404" grep -aq '^MISSING HTTP/1.1 404' "$tmp/out"
    check "... 44 KiB of user data, twelve times at once" grep -aq \
        "^DATA *12 $(sha256sum <"$tmp/user-data" | cut -d' ' -f1)" "$tmp/out"
    check "... and no other port" grep -aq '^REFUSED' "$tmp/out"
}

# Whoever asks is answered.
test_metadata_user() {
    wanted metadata-user || return
    command -v passt >/dev/null || { skip passt "no passt here"; return; }
    unshare -U true 2>/dev/null ||
        { skip userns "no user namespace, which passt needs"; return; }
    net_guest --append "$quick quiet mote.test=metadata" --net user \
        --metadata "$tmp/metadata.json" --level debug
    wait "$pid"
    status=$?
    took=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $from }")
    metadata_heard "metadata: over passt" 200
    sed -n 's/^mote: metadata: /# /p' "$tmp/err"
}

# Started as flintlock does, with tokens, at another address of the guest's own
# network, where somebody listens who must not hear of it.
test_metadata_tap() {
    local keeper ear
    wanted metadata-tap || return
    if ! make_tap 10.77.8.1/24; then
        skip netns "no network namespace, or no /dev/net/tun"
        return
    fi
    printf '{ "boot-source": { "kernel_image_path": "%s", "initrd_path": "%s",
        "boot_args": "console=ttyS0 reboot=k panic=1 %s quiet mote.ip=10.77.8.2 mote.test=metadata" },
        "drives": [], "vsock": null, "metrics": { "metrics_path": "%s" },
        "machine-config": { "vcpu_count": 1, "mem_size_mib": 512, "engine": "%s" },
        "network-interfaces": [ { "iface_id": "eth0", "host_dev_name": "mote0",
            "guest_mac": "02:00:00:00:00:77" } ],
        "mmds-config": { "version": "V2", "network_interfaces": ["eth0"],
            "ipv4_address": "169.254.169.254", "imds_compat": false } }' \
        "$kernel" "$net_initrd" "$quick" "$tmp/metrics" "$fast" >"$tmp/mmds.json"
    "${netns[@]}" python3 -c 'import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("mote0", 0))
print("EAR", flush=True)
while frame := s.recv(65536):
    print(frame.hex(), flush=True)' >"$tmp/heard" &
    ear=$!
    until grep -qs EAR "$tmp/heard"; do sleep 0.1; done
    from=$EPOCHREALTIME
    timeout -k 5 300 "${netns[@]}" "$mote" --no-api --id a1 --boot-timer \
        --config-file "$tmp/mmds.json" --metadata "$tmp/metadata.json" \
        >"$tmp/out" 2>"$tmp/err" </dev/null
    status=$?
    took=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $from }")
    metadata_heard "metadata: as flintlock starts it, with a token, over a tap" 401
    check "... the tap was used" [ "$(wc -l <"$tmp/heard")" -gt 1 ]
    check "... and none of it was seen there" sh -c '! grep -q a9fea9fe "$1"' _ "$tmp/heard"
    check "... and all of it was counted" \
        grep -q '"mmds":{"rx_accepted":[1-9][0-9]*,.*"rx_no_token":1,' "$tmp/metrics"
    netns=()
    kill "$keeper" "$ear"
    wait "$keeper" "$ear" 2>/dev/null
}

metadata_data
test_metadata_user
test_metadata_tap
