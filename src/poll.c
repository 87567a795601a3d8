/* SPDX-License-Identifier: Apache-2.0 */
/* poll.c: looks grow while waits are short, and end where they do not help */
#include "mote/poll.h"

#define POLL_FIRST_NS 10000u /* KVM's halt_poll_ns_grow_start; then doubled */

/*
 * Growing to the longest look takes five in vain. With more than that, waits
 * are short only without us: what we wait for needs the very core that we look
 * out on. KVM asks the scheduler; we can but stop, and try again ever less.
 */
#define POLL_MISSES 8u
#define POLL_REST   64u   /* short waits */
#define POLL_RESTS  8192u /* at most */

static void poll_rest(struct poll *p)
{
    p->pause = MIN(MAX(p->pause * 2, POLL_REST), POLL_RESTS);
    p->rest = p->pause;
    p->misses = 0;
    p->ns = 0;
}

static void poll_grow(struct poll *p)
{
    if (p->rest > 0)
        p->rest--;
    else
        p->ns = MIN(MAX(p->ns * 2, (u64)POLL_FIRST_NS), p->max_ns);
}

void poll_waited(struct poll *p, u64 waited_ns)
{
    if (p->ns > 0 && waited_ns <= p->ns) {
        p->misses = p->pause = 0;
        return;
    }
    if (p->ns > 0 && ++p->misses == POLL_MISSES)
        poll_rest(p);
    else if (waited_ns <= p->max_ns)
        poll_grow(p);
    else
        p->ns = 0;
}
