/* SPDX-License-Identifier: Apache-2.0 */
/* check.c: everything a VM needs of its host, one after the other */
#include "check.h"

void check_host(struct findings *f, const struct config *c)
{
    static check_fn *const parts[] = {
        host_engine, host_memory, host_drives, host_rootfs, host_kernel,
        host_parts,  host_nets,   host_paths,  host_jail,
    };
    struct checking k = {.f = f, .c = c};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        parts[i](&k);
    kernel_info_fini(&k.kernel);
}
