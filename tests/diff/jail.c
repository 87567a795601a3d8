/* SPDX-License-Identifier: Apache-2.0 */
/* jail.c: the system calls of the child: to wait. The words it waits at are
 * named, as a case may have the number of futex in RAX. */
#include <seccomp.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "jail.h"

#define HWCAP2_FSGS 2 /* Documentation/arch/x86/elf_auxvec.rst */

bool host_has_fsgs(void)
{
    return getauxval(AT_HWCAP2) & HWCAP2_FSGS;
}

static int jail_allow(scmp_filter_ctx ctx, const void *word)
{
    const struct scmp_arg_cmp at = {
        .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (uintptr_t)word};

    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(futex), 1, &at);
}

void jail_enter(const void *word, const void *word2)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);

    if (!ctx ||
        seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP) < 0 ||
        jail_allow(ctx, word) < 0 || jail_allow(ctx, word2) < 0 ||
        seccomp_load(ctx) < 0)
        _exit(4);
}
