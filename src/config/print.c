/* SPDX-License-Identifier: Apache-2.0 */
/* print.c: the configuration in effect, as a file that gives it again */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "schema.h"

static const char *print_word(const struct config_words *words,
                              unsigned int value)
{
    for (const struct config_word *w = words->list; w->name; w++)
        if (w->value == value)
            return w->name;
    return NULL;
}

/* Of the texts printed, the first that is not UTF-8, as names and arguments of
 * the host can be. Main's. */
static const char *print_unsayable;

static json_t *print_text(const char *text)
{
    json_t *v = json_string(text);

    if (!v && !print_unsayable)
        print_unsayable = text;
    return v;
}

static void print_pair(json_t *object, const char *name, const char *value)
{
    if (json_object_set_new(object, name, print_text(value)) < 0 &&
        !print_unsayable)
        print_unsayable = name;
}

static json_t *print_strings(char *const *text)
{
    json_t *array = *text ? json_array() : NULL;

    for (; array && *text; text++)
        json_array_append_new(array, print_text(*text));
    return array;
}

static json_t *print_pairs(const char *base, const struct key *k)
{
    const struct config_pair *pair = (const void *)(base + k->field);
    unsigned int nr = *(const unsigned int *)(const void *)(base + k->nr);
    json_t *object = nr ? json_object() : NULL;

    for (unsigned int i = 0; i < nr; i++)
        print_pair(object, pair[i].name, pair[i].value);
    return object;
}

/* Zero where that is no value: not given. */
static json_t *print_int(const void *field, const struct key *k)
{
    u64 n = k->scale ? *(const u64 *)field / k->scale
                     : *(const unsigned int *)field;

    return n < k->min ? NULL : json_integer((json_int_t)n);
}

/* NULL: nothing to say. */
static json_t *print_value(const char *base, const struct key *k)
{
    const void *field;

    if (k->field == KEY_NO_FIELD)
        return NULL;
    field = base + k->field;
    switch (k->kind) {
    case KEY_STRING:
        return *(char *const *)field ? print_text(*(char *const *)field) : NULL;
    case KEY_STRINGS:
        return print_strings(field);
    case KEY_LIST:
        return *(char *const *const *)field
                   ? print_strings(*(char *const *const *)field)
                   : NULL;
    case KEY_PAIRS:
        return print_pairs(base, k);
    case KEY_BOOL:
        return json_boolean(*(const bool *)field);
    case KEY_INT:
        return print_int(field, k);
    case KEY_WORD:
        return json_string(print_word(k->words, *(const unsigned int *)field));
    default:
        return NULL;
    }
}

static bool print_is_zero(const char *at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (at[i])
            return false;
    return true;
}

static json_t *print_object(const char *base, const struct key *keys);

static json_t *print_array(const char *base, const struct key *k)
{
    unsigned int nr = *(const unsigned int *)(const void *)(base + k->nr);
    json_t *array = nr ? json_array() : NULL;

    for (unsigned int i = 0; i < nr; i++)
        json_array_append_new(
            array, print_object(base + k->field + i * k->size, k->keys));
    return array;
}

static json_t *print_member(const char *base, const struct key *k)
{
    if (k->kind == KEY_ARRAY)
        return print_array(base, k);
    if (k->kind != KEY_OBJECT)
        return print_value(base, k);
    base += k->field;
    if (k->size && print_is_zero(base, k->size))
        return NULL;
    if (k->word && *base)
        return json_string(k->word);
    return print_object(base, k->keys);
}

static json_t *print_object(const char *base, const struct key *keys)
{
    json_t *object = json_object();

    for (const struct key *k = keys; k->name; k++) {
        json_t *v = print_member(base, k);

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
    if (!c->boot.args)
        log_warn("--append adds to the default boot arguments and has no key "
                 "of its own: not printed");
    else if (json_object_set_new(
                 boot, "boot_args",
                 json_sprintf("%s %s", c->boot.args, c->boot.append)) < 0)
        print_unsayable = c->boot.append;
}

static int print_refuse(void)
{
    if (!print_unsayable)
        return fail(-ENOMEM, "the configuration as JSON");
    return fail_rule(-EILSEQ,
                     "\"%s\" is not UTF-8, and JSON can say nothing else: the "
                     "configuration cannot be printed",
                     print_unsayable);
}

char *config_text(const struct config *c)
{
    json_t *root;
    char *json = NULL, *text = NULL;

    print_unsayable = NULL;
    root = print_object((const void *)c, schema);
    if (root && !print_unsayable)
        print_append(c, root);
    if (root && !print_unsayable)
        json = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (json && asprintf(&text, "%s\n", json) < 0)
        text = NULL;
    free(json);
    if (!text)
        print_refuse();
    return text;
}

int config_print(const struct config *c)
{
    char *text = config_text(c);
    int r;

    if (!text)
        return -EILSEQ;
    r = fputs(text, stdout) == EOF || fflush(stdout) == EOF ? -EIO : 0;
    free(text);
    return r < 0 ? fail(r, "stdout") : 0;
}
