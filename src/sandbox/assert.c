/* SPDX-License-Identifier: Apache-2.0 */
/* assert.c: what a failed assert() says; libc's way takes calls (writev, mmap,
 * rt_sigprocmask) that no filter has, and would be named as a denial */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mote/config.h"
#include "mote/filter.h"
#include "mote/log.h"

/* Instead of libc's. */
void __assert_fail(const char *expr, const char *file, unsigned int line,
                   const char *function)
{
    log_error("a bug in mote: %s:%u: %s(): %s; please report it", file, line,
              function, expr);
    if (filter_on())
        syscall(SYS_exit_group, STATUS_BUG);
    abort();
}
