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
    if (prctl(PR_SET_SECUREBITS, CAPS_SECUREBITS) < 0)
        return errno == EPERM ? 0 : -errno;
    for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++)
        if (cap_drop_bound(cap) < 0)
            return -errno;
    return 0;
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
