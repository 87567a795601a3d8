# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# lib.sh: what tests/bench/blk and tests/bench/net share: the guest, one run of
# either monitor, and the report. The caller sets $bench, $n and $ms.
# shellcheck disable=SC2154

mote=${MOTE:-./mote}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"; [ -z "${server:-}" ] || kill "$server"' EXIT

progress() {
    echo "$bench: $*" >&2
}

# No comparison without QEMU, but mote's own figures all the same.
have_qemu() {
    command -v qemu-system-x86_64 >/dev/null
}

# The kernel with drivers built in needs no ACPI; the stock one finds its
# devices there.
choose_kernel() {
    kernel=${MOTE_SMALL_KERNEL:-$(tools/guest kernel)}
    name=stock acpi=on
    [ -z "${MOTE_SMALL_KERNEL:-}" ] || name=small acpi=off
    words="console=ttyS0 reboot=t panic=-1 cryptomgr.notests quiet"
    words="$words acpi=$acpi bench=$bench ms=$ms"
    [ $acpi = off ] || words=${words/acpi=on /}
}

# The initramfs of tools/guest, and guest_io in a second archive behind it.
make_initrd() {
    local base
    mkdir -p "$tmp/root/bin"
    gcc -std=gnu17 -O2 -D_GNU_SOURCE -static -o "$tmp/root/bin/guest_io" tests/bench/guest_io.c
    base=$(tools/guest initrd tests/bench/guest-init \
        virtio_mmio virtio_blk virtio_net)
    initrd=$tmp/initrd
    cp "$base" "$initrd"
    (cd "$tmp/root" && find . | cpio --quiet -o -H newc -R 0:0) >>"$initrd"
}

with_mote() { # OPTIONS
    exec "$mote" run --kernel "$kernel" --initrd "$initrd" --memory 512M \
        --engine "${ENGINE:-interp}" --cmdline "$words" "$@"
}

with_qemu() { # OPTIONS
    exec qemu-system-x86_64 -M microvm,acpi=$acpi,rtc=off -accel tcg -cpu max \
        -m 512 -nodefaults -no-user-config -nographic -no-reboot \
        -serial stdio -kernel "$kernel" -initrd "$initrd" -append "$words" "$@"
}

# The guest's lines, with rates by the host's clock: "FIGURE name rate unit".
stamp() {
    local line from=0 rest
    while IFS= read -r line; do
        line=${line%$'\r'}
        case $line in
        BEGIN\ *) from=$EPOCHREALTIME ;;
        END\ *)
            rest=${line#END }
            awk -v from="$from" -v to="$EPOCHREALTIME" \
                '{ s = to - from; print "FIGURE", $1, $2 / s, $3 }' <<<"$rest"
            ;;
        *) echo "$line" ;;
        esac
    done
}

# run WHO OPTIONS: one run; its figures are added to $tmp/WHO
run() {
    local who=$1 pid limit=$((40 + ms * 20 / 1000))
    shift
    "with_$who" "$@" > >(stamp >"$tmp/out") 2>&1 </dev/null &
    pid=$!
    until ! kill -0 $pid 2>/dev/null || [ $((limit--)) = 0 ]; do sleep 1; done
    kill $pid 2>/dev/null && progress "$who did not end in time"
    wait $pid 2>/dev/null || true
    sleep 0.2 # for the last line
    if ! grep -aq '^DONE' "$tmp/out"; then
        progress "$who failed:"
        tail -n 15 "$tmp/out" >&2
        return 1
    fi
    sed -n 's/^FIGURE //p' "$tmp/out" >>"$tmp/$who"
}

# Lines and one JSON object, best of the runs against best of the runs.
report() {
    touch "$tmp/qemu"
    awk -v bench="$bench" -v kernel="$name" -v runs="$n" \
        -v engine="${ENGINE:-interp}" -v json="$tmp/json" '
        FILENAME != last { who++; last = FILENAME }
        !($1 in unit) { unit[$1] = $3; order[++nr] = $1 }
        { k = who SUBSEP $1 }
        !(k in max) || $2 > max[k] { max[k] = $2 }
        !(k in min) || $2 < min[k] { min[k] = $2 }
        function pair(k) {
            return k in max ? sprintf("{\"min\":%g,\"max\":%g}", min[k], max[k]) \
                            : "null"
        }
        END {
            printf "{\"bench\":\"%s\",\"kernel\":\"%s\",\"engine\":\"%s\"," \
                "\"runs\":%d,\"figures\":{", bench, kernel, engine, runs >json
            for (i = 1; i <= nr; i++) {
                f = order[i]; m = 1 SUBSEP f; q = 2 SUBSEP f
                printf "%-17s mote %s %9.4g (min %9.4g)", f, engine, max[m], min[m]
                if (q in max)
                    printf "   qemu tcg %9.4g (min %9.4g) %-6s   ratio %.2f\n",
                        max[q], min[q], unit[f], max[m] / max[q]
                else
                    print " " unit[f]
                printf "%s\"%s\":{\"unit\":\"%s\",\"mote\":%s,\"qemu\":%s}",
                    (i > 1 ? "," : ""), f, unit[f], pair(m), pair(q) >json
            }
            print "}}" >json
        }' "$tmp/mote" "$tmp/qemu"
    cat "$tmp/json"
}

# alternate MOTE_OPTIONS -- QEMU_OPTIONS: n runs of each, by turns
alternate() {
    local m=() i
    while [ "$1" != -- ]; do m+=("$1"); shift; done
    shift
    have_qemu || progress "skip - no qemu-system-x86_64: nothing to compare with"
    for i in $(seq "$n"); do
        progress "run $i of $n: mote"
        run mote "${m[@]}" || return 1
        have_qemu || continue
        progress "run $i of $n: qemu"
        # With ACPI it sometimes stops for ever before the first timer tick.
        run qemu "$@" || run qemu "$@" || run qemu "$@" || return 1
    done
    report
}
