# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# compat.sh: a 32-bit program under the 64-bit kernel, on the interpreter and on
# the host. For tests/boot/run.
# shellcheck disable=SC2154

test_compat() {
    wanted compat || return
    mkdir -p "$tmp/compat"
    "${CC:-gcc}" -m32 -O1 -msse2 -fno-stack-protector -fno-pie -no-pie \
        -ffreestanding -nostdlib -static -Wl,-z,noexecstack \
        -o "$tmp/compat/compat" tests/boot/compat.c || {
        not_ok "compat: it does not compile"
        return
    }
    "$tmp/compat/compat" >"$tmp/want" || {
        skip compat "this host runs no 32-bit programs"
        return
    }
    "$mote" run --kernel "$kernel" --engine interp --rootfs "$tmp/compat" \
        -- /compat >"$tmp/out" 2>"$tmp/err" </dev/null
    check "a 32-bit program prints what it does on the host" \
        cmp -s "$tmp/out" "$tmp/want"
    diff "$tmp/want" "$tmp/out" | sed 's/^/#   /'
}

test_compat
