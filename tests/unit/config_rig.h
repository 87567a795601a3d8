/* SPDX-License-Identifier: Apache-2.0 */
/* config_rig.h: a configuration from a text, and what is said of it */
#ifndef MOTE_CONFIG_RIG_H
#define MOTE_CONFIG_RIG_H

#include <fcntl.h>
#include <unistd.h>

#include "mote/config.h"

#include "capture.h"

/* The file "t" into *c, which is the caller's to fini. As config_parse(). */
static inline int config_rig_parse(struct config *c, const char *text)
{
    capture_start();
    ck_assert_int_eq(config_init(c), 0);
    return config_parse(c, "t", text, strlen(text));
}

/* want NULL: accepted in silence; else these lines refuse it. */
static inline void config_rig_case(const char *text, const char *want)
{
    struct config c;
    int r = config_rig_parse(&c, text);

    ck_assert_str_eq(capture_text, want ? want : "");
    ck_assert_int_eq(r, want ? -EINVAL : 0);
    config_fini(&c);
}

/* In the directory of the test. */
static inline void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

#endif
