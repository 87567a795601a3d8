/* SPDX-License-Identifier: Apache-2.0 */
/* orders.c: records "word=value", each ended by a NUL */
#include <stdlib.h>

#include "orders.h"
#include "text.h"

/* Two numbers with a separator between them. */
static bool orders_pair(const char *text, char separator, u32 max, u32 *a,
                        u32 *b)
{
    const char *mid = strchr(text, separator);

    return mid && text_number(text, mid, max, a) &&
           text_number(mid + 1, mid + 1 + strlen(mid + 1), max, b);
}

static bool orders_tty(struct orders *o, const char *value)
{
    u32 cols, rows;

    if (!orders_pair(value, 'x', UINT16_MAX, &cols, &rows))
        return false;
    o->tty = true;
    o->cols = (u16)cols;
    o->rows = (u16)rows;
    return true;
}

static bool orders_type(struct orders *o, const char *value)
{
    if (o->nr_types == ORDERS_TYPES)
        return false;
    o->rootfstype[o->nr_types++] = value;
    return true;
}

/* A word with one possible value. */
static bool orders_flag(bool *flag, const char *value, const char *only)
{
    *flag = true;
    return strcmp(value, only) == 0;
}

static bool orders_text(const char **out, const char *value)
{
    *out = value;
    return *value != '\0';
}

static bool orders_obey(struct orders *o, const char *word, char *value)
{
    if (strcmp(word, "arg") == 0)
        o->argv[o->argc++] = value;
    else if (strcmp(word, "env") == 0)
        o->env[o->nr_env++] = value;
    else if (strcmp(word, "workdir") == 0)
        return orders_text(&o->workdir, value);
    else if (strcmp(word, "user") == 0)
        return orders_text(&o->user, value);
    else if (strcmp(word, "tty") == 0)
        return orders_tty(o, value);
    else if (strcmp(word, "stdin") == 0)
        return orders_flag(&o->input, value, "1");
    else if (strcmp(word, "root") == 0)
        return orders_text(&o->root, value);
    else if (strcmp(word, "rootfstype") == 0)
        return orders_type(o, value);
    else if (strcmp(word, "rootflags") == 0)
        return orders_flag(&o->root_ro, value, "ro");
    else if (strcmp(word, "net") == 0)
        return orders_flag(&o->dhcp, value, "dhcp");
    else if (strcmp(word, "hostname") == 0)
        return orders_text(&o->hostname, value);
    else
        return false;
    return true;
}

static size_t orders_count(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += text[i] == '\0';
    return n;
}

int orders_parse(struct orders *o, char *text, size_t len, const char **bad)
{
    size_t max = orders_count(text, len) + 1;

    *o = (struct orders){.argv = calloc(max, sizeof(*o->argv)),
                         .env = calloc(max, sizeof(*o->env))};
    *bad = NULL;
    if (!o->argv || !o->env)
        return -ENOMEM;
    if (len == 0 || text[len - 1] != '\0')
        return -EINVAL;
    for (char *end = text + len; text < end; text += strlen(text) + 1) {
        char *value = strchr(text, '=');
        bool ok = value != NULL;

        if (ok) {
            *value = '\0';
            ok = orders_obey(o, text, value + 1);
            *value = '=';
        }
        if (!ok) {
            *bad = text;
            return -EINVAL;
        }
    }
    return o->argc > 0 ? 0 : -EINVAL;
}
