/* SPDX-License-Identifier: Apache-2.0 */
/* printed.h: what config_print() writes, as a string */
#ifndef MOTE_FUZZ_PRINTED_H
#define MOTE_FUZZ_PRINTED_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mote/config.h"

/* The caller's to free. NULL: it has a text that JSON cannot say. */
static inline char *printed(const struct config *c)
{
    FILE *tty = stdout;
    char *text = NULL;
    size_t len;
    int r;

    stdout = open_memstream(&text, &len);
    assert(stdout);
    r = config_print(c);
    assert(r == 0 || r == -EILSEQ);
    fclose(stdout);
    stdout = tty;
    if (r == 0)
        return text;
    free(text);
    return NULL;
}

#endif
