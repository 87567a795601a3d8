/* SPDX-License-Identifier: Apache-2.0 */
/* caps.c: no capabilities, in none of the five sets */
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "mote/log.h"

#include "jail.h"

/* Root is nobody special any more, for good. */
#define CAPS_SECUREBITS                                                        \
    (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |           \
     SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |                 \
     SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

/*
 * The bounding set and the securebits take CAP_SETPCAP. Who has not got that
 * has no other capability worth a bound, and no_new_privs forbids to gain one
 * by exec.
 */
static int caps_bound(void)
{
    cap_value_t cap = 0;

    if (prctl(PR_SET_SECUREBITS, CAPS_SECUREBITS) < 0)
        return errno == EPERM ? 0 : -errno;
    while (cap_drop_bound(cap) == 0)
        cap++;
    return errno == EINVAL && cap > 0 ? 0 : -errno; /* behind the last one */
}

int caps_drop(void)
{
    cap_t none = cap_init();
    int r = none ? caps_bound() : -ENOMEM;

    if (r == 0 && (cap_reset_ambient() < 0 || cap_set_proc(none) < 0))
        r = -errno;
    cap_free(none);
    return r < 0 ? fail(r, "sandbox: drop all capabilities") : 0;
}

static u64 caps_bit(int has, cap_value_t cap)
{
    return has > 0 ? 1ull << cap : 0;
}

void sandbox_caps(u64 set[SANDBOX_CAP_SETS])
{
    static const cap_flag_t flags[] = {CAP_EFFECTIVE, CAP_PERMITTED,
                                       CAP_INHERITABLE};
    cap_t have = cap_get_proc();
    cap_flag_value_t on;

    memset(set, 0, SANDBOX_CAP_SETS * sizeof(*set));
    for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++) {
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
            if (cap_get_flag(have, cap, flags[i], &on) == 0)
                set[i] |= caps_bit(on == CAP_SET, cap);
        set[3] |= caps_bit(cap_get_bound(cap), cap);
        set[4] |= caps_bit(cap_get_ambient(cap), cap);
    }
    cap_free(have);
}
