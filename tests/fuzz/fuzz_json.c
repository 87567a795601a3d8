/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c: any text as a configuration. An error names its line and column;
 * what is accepted is printed as a text that is accepted and prints the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "printed.h"

static unsigned int lines, said; /* of the text; errors */

/* "mote: f:LINE:COLUMN: ..." but for the two that are about no place. */
static void check_line(const char *text, size_t len)
{
    unsigned int line = 0, column = 0;

    said++;
    if (strstr(text, "mote: f: more than 20 errors\n") == text ||
        strstr(text, "mote: f: longer than 1 MiB\n") == text)
        return;
    must(sscanf(text, "mote: f:%u:%u: ", &line, &column) == 2);
    assert(line >= 1 && line <= lines && column >= 1);
    assert(memchr(text, '\n', len) == text + len - 1);
}

static int parse(struct config *c, const char *text, size_t len)
{
    int r;

    if (config_init(c) < 0)
        abort();
    lines = 1;
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    said = 0;
    r = config_parse(c, "f", text, len);
    assert((r == 0 && said == 0) || (r == -EINVAL && said > 0));
    return r;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    static struct config one, two;
    char *first, *second;

    log_sink_set(check_line);
    /* A file without a kernel is accepted: an option may name it. */
    if (parse(&one, (const char *)data, len) == 0 && one.boot.kernel) {
        first = printed(&one);
        must(parse(&two, first, strlen(first)) == 0);
        second = printed(&two);
        assert(strcmp(first, second) == 0);
        free(second);
        free(first);
        config_fini(&two);
    }
    config_fini(&one);
    return 0;
}
