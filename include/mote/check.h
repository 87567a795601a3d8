/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h: what would go wrong, found before anything starts. A check makes
 * nothing, keeps no lock, attaches to nothing; what it cannot find out without
 * that, it says it does not know.
 */
#ifndef MOTE_CHECK_H
#define MOTE_CHECK_H

#include "mote/config.h"

enum finding_level {
    FINDING_OK,
    FINDING_HINT, /* works, and could work better */
    FINDING_WARN, /* starts, but not as it may be meant */
    FINDING_FAIL, /* does not start, or the guest cannot work */
};

#define FINDING_MAX 128 /* what comes after is counted */

struct finding {
    enum finding_level level;
    char what[48];  /* "kernel", "drive root" */
    char text[512]; /* one line: what was found, and what to do */
};

struct findings {
    unsigned int nr, lost;
    bool failed; /* one of them is FINDING_FAIL */
    struct finding finding[FINDING_MAX];
};

void finding_add(struct findings *f, enum finding_level level, const char *what,
                 const char *fmt, ...) PRINTF(4, 5);

/*
 * In between, what is reported by fail() and log_line(), in this process or in
 * a child, is kept, not printed. findings_heard() makes each line a finding,
 * and returns how many there were. Main; not nested.
 */
int findings_listen(void); /* 0 or -ENOMEM, already reported */
unsigned int findings_heard(struct findings *f, enum finding_level level,
                            const char *what);

/* All that c needs of the host. What the configuration alone says (it is
 * checked already, perhaps in vain) is not said again. Main, no thread yet. */
void check_host(struct findings *f, const struct config *c);

#endif
