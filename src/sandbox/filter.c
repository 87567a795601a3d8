/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c: loads the filters of policy.def, names what they have denied */
#include "mote/filter.h"
#include "mote/log.h"

static enum filter_mode filter_mode;

bool filter_on(void)
{
    return filter_mode != FILTER_OFF;
}

int filter_load(const struct filter *f, const char *name)
{
    if (!filter_on())
        return 0;
    return fail_rule(-ENOSYS, "thread %s: no filter of its kind", name);
}
