/* SPDX-License-Identifier: Apache-2.0 */
/* unit.h: Check, without its old fail() macro, which is also mote's. The
 * Makefile puts it before every unit test. */
#ifndef MOTE_UNIT_H
#define MOTE_UNIT_H

#include <check.h>
#undef fail

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __SANITIZE_THREAD__
#define UNDER_TSAN 1
#else
#define UNDER_TSAN 0
#endif

/* Is word one of the comma-separated words of $REQUIRE? */
static inline int unit_requires(const char *word)
{
    const char *at = getenv("REQUIRE");
    size_t n = strlen(word);

    while (at && *at) {
        if (strncmp(at, word, n) == 0 && (at[n] == ',' || at[n] == '\0'))
            return 1;
        at = strchr(at, ',');
        at = at ? at + 1 : NULL;
    }
    return 0;
}

/* alarm(), with the patience that Check has been told to have. */
static inline void unit_alarm(unsigned int seconds)
{
    const char *times = getenv("CK_TIMEOUT_MULTIPLIER");

    alarm(seconds * (times ? (unsigned int)atoi(times) : 1));
}

/* "skip - reason"; a failure where REQUIRE names the word. The test returns
 * after it. */
static inline void unit_skip(const char *word, const char *reason)
{
    ck_assert_msg(!unit_requires(word), "%s is required: %s", word, reason);
    printf("skip - %s\n", reason);
}

#endif
