/* SPDX-License-Identifier: Apache-2.0 */
/* print.c: the configuration in effect, as a file that gives it again */
#include <jansson.h>
#include <stdio.h>

#include "schema.h"

static const char *print_word(const struct config_words *words,
                              unsigned int value)
{
    for (const struct config_word *w = words->list; w->name; w++)
        if (w->value == value)
            return w->name;
    return NULL;
}

/* NULL: nothing to say. */
static json_t *print_value(const struct config *c, const struct key *k)
{
    const void *field = (const char *)c + k->field;

    if (k->field == KEY_NO_FIELD)
        return NULL;
    switch (k->kind) {
    case KEY_STRING:
        return *(char *const *)field ? json_string(*(char *const *)field)
                                     : NULL;
    case KEY_BOOL:
        return json_boolean(*(const bool *)field);
    case KEY_INT:
        if (k->scale)
            return json_integer((json_int_t)(*(const u64 *)field / k->scale));
        return json_integer(*(const unsigned int *)field);
    case KEY_WORD:
        return json_string(print_word(k->words, *(const unsigned int *)field));
    default:
        return NULL;
    }
}

static json_t *print_object(const struct config *c, const struct key *keys)
{
    json_t *object = json_object();

    for (const struct key *k = keys; k->name; k++) {
        json_t *v = k->kind == KEY_OBJECT ? print_object(c, k->keys)
                                          : print_value(c, k);

        if (v)
            json_object_set_new(object, k->name, v);
    }
    return object;
}

/* --append has no key: it is part of the boot arguments, if they are known. */
static void print_append(const struct config *c, json_t *root)
{
    json_t *boot = json_object_get(root, "boot-source");

    if (!c->boot.append)
        return;
    if (c->boot.args)
        json_object_set_new(
            boot, "boot_args",
            json_sprintf("%s %s", c->boot.args, c->boot.append));
    else
        log_warn("--append adds to the default boot arguments and has no key "
                 "of its own: not printed");
}

int config_print(const struct config *c)
{
    json_t *root = print_object(c, schema);
    int r;

    if (!root)
        return fail(-ENOMEM, "--print-config");
    print_append(c, root);
    r = json_dumpf(root, stdout, JSON_INDENT(2));
    json_decref(root);
    if (r < 0 || putchar('\n') == EOF || fflush(stdout) == EOF)
        return fail(-EIO, "stdout");
    return 0;
}
