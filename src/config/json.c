/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c: a JSON text into struct config, by the rows of schema.c. Every error
 * is printed with its place; the walk goes on, so that one run shows them all.
 */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "origin.h"
#include "schema.h"

#define PARSE_TEXT_MAX   MIB
#define PARSE_ERRORS_MAX 20
#define PARSE_SHOWN      64 /* characters of a value in an error */

struct parse {
    struct config *c;
    const char *name;
    const char *text;
    size_t len;
    unsigned int errors;
    char *base; /* the struct that the object at hand fills */
    struct json_path path;
    char key[ORIGIN_PATH]; /* the same for people: "logger.level" */
};

static const char *parse_type(const json_t *v)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",
        [JSON_STRING] = "a string",  [JSON_INTEGER] = "an integer",
        [JSON_REAL] = "a fraction",  [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };

    return names[json_typeof(v)];
}

/* A value as in the file, made safe to print: ASCII, one line, not long. */
static const char *parse_show(const json_t *v, char buf[static PARSE_SHOWN])
{
    char *text = NULL;

    if (!json_is_object(v) && !json_is_array(v))
        text =
            json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
    if (!text)
        snprintf(buf, PARSE_SHOWN, "%s", parse_type(v));
    else if (strlen(text) < PARSE_SHOWN)
        snprintf(buf, PARSE_SHOWN, "%s", text);
    else
        snprintf(buf, PARSE_SHOWN, "%.*s...", PARSE_SHOWN - 4, text);
    free(text);
    return buf;
}

/* True while errors are still printed, up to PARSE_ERRORS_MAX of them. */
static bool parse_count(struct parse *p)
{
    if (p->errors++ == PARSE_ERRORS_MAX)
        fail_rule(-EINVAL, "%s: more than %d errors", p->name,
                  PARSE_ERRORS_MAX);
    return p->errors <= PARSE_ERRORS_MAX;
}

static PRINTF(3, 4) void parse_error(struct parse *p, enum json_spot spot,
                                     const char *fmt, ...)
{
    struct position at;
    char what[512];
    va_list ap;

    if (!parse_count(p))
        return;
    at = position_find(p->text, p->len, &p->path, spot);
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    fail_rule(-EINVAL, "%s:%u:%u: %s%s%s", p->name, at.line, at.column, p->key,
              p->key[0] ? ": " : "", what);
}

/* An error of the text itself, before there are values. */
static int parse_text_error(struct parse *p, size_t offset, const char *what)
{
    struct position at = position_at(p->text, p->len, offset);

    p->errors++;
    return fail_rule(-EINVAL, "%s:%u:%u: %s", p->name, at.line, at.column,
                     what);
}

/* ---- one value ------------------------------------------------------------
 */

/* May the row's member be written? Not if an option has set it. */
static bool parse_stores(struct parse *p, const struct key *k, void **field)
{
    if (k->field == KEY_NO_FIELD)
        return false;
    *field = p->base + k->field;
    if (origin_find(p->c, *field))
        return false;
    origin_set_file(p->c, *field, &p->path, p->key);
    return true;
}

/* Is it a string that the row takes? */
static bool parse_text(struct parse *p, const struct key *k, const json_t *v)
{
    char shown[PARSE_SHOWN];
    const char *wrong = NULL;

    parse_show(v, shown);
    if (!json_is_string(v))
        wrong = "is not a string";
    else if (k->filled && json_string_length(v) == 0)
        wrong = "is empty";
    else if (k->form)
        wrong = k->form(json_string_value(v));
    if (wrong)
        parse_error(p, SPOT_VALUE, "%s %s", shown, wrong);
    return !wrong;
}

static void parse_copy(struct parse *p, char **field, const json_t *v)
{
    *field = strdup(json_string_value(v));
    if (!*field)
        parse_error(p, SPOT_VALUE, "no memory");
}

static void parse_string(struct parse *p, const struct key *k, const json_t *v)
{
    void *field;

    if (parse_text(p, k, v) && parse_stores(p, k, &field))
        parse_copy(p, field, v);
}

static void parse_bool(struct parse *p, const struct key *k, const json_t *v)
{
    char shown[PARSE_SHOWN];
    void *field;

    if (!json_is_boolean(v))
        parse_error(p, SPOT_VALUE, "%s is not true or false",
                    parse_show(v, shown));
    else if (parse_stores(p, k, &field))
        *(bool *)field = json_is_true(v);
}

static void parse_int(struct parse *p, const struct key *k, const json_t *v)
{
    char shown[PARSE_SHOWN];
    json_int_t n = json_integer_value(v);
    void *field;

    if (!json_is_integer(v)) {
        parse_error(p, SPOT_VALUE, "%s is not an integer",
                    parse_show(v, shown));
        return;
    }
    if (n < 0 || (u64)n < k->min || (u64)n > k->max) {
        parse_error(p, SPOT_VALUE, "%lld is out of range %llu..%llu",
                    (long long)n, (unsigned long long)k->min,
                    (unsigned long long)k->max);
        return;
    }
    if (!parse_stores(p, k, &field))
        return;
    if (k->scale)
        *(u64 *)field = (u64)n * k->scale;
    else
        *(unsigned int *)field = (unsigned int)n;
}

static void parse_word(struct parse *p, const struct key *k, const json_t *v)
{
    char shown[PARSE_SHOWN], list[128];
    const char *near = NULL;
    unsigned int value;
    void *field;
    int r;

    parse_show(v, shown);
    if (!json_is_string(v)) {
        parse_error(p, SPOT_VALUE, "%s is not a string", shown);
        return;
    }
    r = config_find_word(k->words, json_string_value(v), &value, &near);
    config_list_words(k->words, list, sizeof(list));
    if (r == -ENOTSUP)
        parse_error(p, SPOT_VALUE, "%s is not supported yet; use %s", shown,
                    list);
    else if (r < 0 && near)
        parse_error(p, SPOT_VALUE, "%s is not one of %s; did you mean \"%s\"?",
                    shown, list, near);
    else if (r < 0)
        parse_error(p, SPOT_VALUE, "%s is not one of %s", shown, list);
    else if (parse_stores(p, k, &field))
        *(unsigned int *)field = value;
}

/* A key for later: only a value that asks for nothing is let through. */
static void parse_later(struct parse *p, const struct key *k, const json_t *v)
{
    bool nothing = json_is_null(v) || json_is_false(v) ||
                   (json_is_array(v) && json_array_size(v) == 0);

    if (!k->defaults || !nothing)
        parse_error(p, SPOT_KEY, "%s", k->hint ? k->hint : "not supported yet");
}

/* ---- objects --------------------------------------------------------------
 */

static const struct key *parse_find(const struct key *keys, const char *name)
{
    for (const struct key *k = keys; k->name; k++)
        if (strcmp(k->name, name) == 0)
            return k;
    return NULL;
}

static void parse_unknown(struct parse *p, const struct key *keys,
                          const char *name)
{
    const char *names[64] = {NULL};
    char list[256] = "";
    const char *near;
    size_t n = 0, len = 0;

    for (const struct key *k = keys; k->name && n < ARRAY_SIZE(names); k++)
        if (k->kind != KEY_OTHER)
            names[n++] = k->name;
    near = config_nearest(name, names, n);
    if (near) {
        parse_error(p, SPOT_KEY, "unknown key; did you mean \"%s\"?", near);
        return;
    }
    for (size_t i = 0; i < n && len < sizeof(list); i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
                                i ? ", " : "", names[i]);
    parse_error(p, SPOT_KEY, "unknown key; known here: %s", list);
}

/* Append a member to the path; returns the length to cut back to. Keys are
 * the file's, so what could disturb a terminal becomes a question mark. */
static size_t parse_enter(struct parse *p, const char *name, unsigned int step)
{
    size_t len = strlen(p->key);

    snprintf(p->key + len, sizeof(p->key) - len, "%s%s", len ? "." : "", name);
    for (char *s = p->key + len; *s; s++)
        if (*s < ' ' || *s > '~')
            *s = '?';
    p->path.step[p->path.depth++] = step;
    return len;
}

static size_t parse_enter_element(struct parse *p, unsigned int step)
{
    size_t len = strlen(p->key);

    snprintf(p->key + len, sizeof(p->key) - len, "[%u]", step);
    p->path.step[p->path.depth++] = step;
    return len;
}

static void parse_leave(struct parse *p, size_t len)
{
    p->key[len] = '\0';
    p->path.depth--;
}

/* The file must say it, unless an option does. */
static void parse_required(struct parse *p, const struct key *keys,
                           const json_t *object)
{
    for (const struct key *k = keys; k->name; k++) {
        if (k->required && !json_object_get(object, k->name) &&
            !origin_find(p->c, p->base + k->field))
            parse_error(p, SPOT_VALUE, "\"%s\" is required", k->name);
    }
}

static void parse_strings(struct parse *p, const struct key *k, const json_t *v)
{
    char **field = (void *)(p->base + k->field);

    if (!json_is_array(v)) {
        parse_error(p, SPOT_VALUE, "%s is not an array", parse_type(v));
        return;
    }
    if (json_array_size(v) < k->min)
        parse_error(p, SPOT_VALUE, "[] names none");
    if (!origin_find(p->c, field))
        origin_set_file(p->c, field, &p->path, p->key);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *element = json_array_get(v, i);
        size_t len = parse_enter_element(p, (unsigned int)i);

        if (i == k->max)
            parse_error(p, SPOT_VALUE, "more than %llu",
                        (unsigned long long)k->max);
        else if (i < k->max && parse_text(p, k, element))
            parse_copy(p, field++, element);
        parse_leave(p, len);
    }
}

/* As parse_strings(), for any number; an option's list stays. */
static void parse_list(struct parse *p, const struct key *k, const json_t *v)
{
    size_t nr = json_array_size(v);
    char **list;
    void *field;

    if (!json_is_array(v) || nr == 0) {
        parse_error(p, SPOT_VALUE, "%s is not an array of strings",
                    json_is_array(v) ? "[]" : parse_type(v));
        return;
    }
    if (nr > k->max) {
        parse_error(p, SPOT_VALUE, "more than %llu",
                    (unsigned long long)k->max);
        return;
    }
    list = parse_stores(p, k, &field) ? calloc(nr + 1, sizeof(*list)) : NULL;
    if (list)
        *(char ***)field = list;
    for (size_t i = 0; i < nr; i++) {
        const json_t *element = json_array_get(v, i);
        size_t len = parse_enter_element(p, (unsigned int)i);

        if (parse_text(p, k, element) && list)
            parse_copy(p, list++, element);
        parse_leave(p, len);
    }
}

/* An option's pair of that name wins. */
static bool parse_has_pair(const struct config_pair *pair, unsigned int nr,
                           const char *name)
{
    for (unsigned int i = 0; i < nr; i++)
        if (strcmp(pair[i].name, name) == 0)
            return true;
    return false;
}

static bool parse_pair(struct parse *p, const struct key *k,
                       struct config_pair *pair, const char *name,
                       const json_t *v)
{
    const char *wrong = k->name_form ? k->name_form(name) : NULL;

    if (wrong)
        parse_error(p, SPOT_KEY, "%s", wrong);
    if (wrong || !parse_text(p, k, v))
        return false;
    pair->name = strdup(name);
    parse_copy(p, &pair->value, v);
    return true;
}

/* Names are not the schema's: who takes the pairs checks them, if no form
 * does. */

static void parse_pairs(struct parse *p, const struct key *k, const json_t *v)
{
    struct config_pair *pair = (void *)(p->base + k->field);
    unsigned int *nr = (void *)(p->base + k->nr), step = 0;
    const char *name;
    json_t *member;

    if (!json_is_object(v)) {
        parse_error(p, SPOT_VALUE, "%s is not an object", parse_type(v));
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)v, name, member)
    {
        size_t len = parse_enter(p, name, step++);

        if (*nr == k->max)
            parse_error(p, SPOT_VALUE, "one too many; %llu are possible",
                        (unsigned long long)k->max);
        else if (!parse_has_pair(pair, *nr, name) &&
                 parse_pair(p, k, &pair[*nr], name, member))
            ++*nr;
        parse_leave(p, len);
    }
}

static void parse_member(struct parse *p, const struct key *k, json_t *v);

static void parse_members(struct parse *p, const struct key *keys, json_t *v)
{
    unsigned int step = 0;
    const char *name;
    json_t *member;

    if (!json_is_object(v)) {
        parse_error(p, SPOT_VALUE, "%s is not an object", parse_type(v));
        return;
    }
    json_object_foreach(v, name, member)
    {
        const struct key *k = parse_find(keys, name);
        size_t len = parse_enter(p, name, step++);

        if (!k)
            parse_unknown(p, keys, name);
        else if (k->kind == KEY_OTHER)
            parse_error(p, SPOT_KEY, "unknown key; %s", k->hint);
        else if (json_is_null(member) && k->required)
            parse_error(p, SPOT_VALUE, "null, but this key is required");
        else if (!json_is_null(member) || k->kind == KEY_LATER)
            parse_member(p, k, member); /* null elsewhere: absent */
        parse_leave(p, len);
    }
    parse_required(p, keys, v);
}

static void parse_object(struct parse *p, const struct key *k, json_t *v)
{
    char *outer = p->base, shown[PARSE_SHOWN];
    bool word = k->word && json_is_string(v);

    p->base += k->field;
    if (k->given && !origin_find(p->c, p->base + k->given)) {
        *(bool *)(p->base + k->given) = true;
        origin_set_file(p->c, p->base + k->given, &p->path, p->key);
    }
    if (word && strcmp(json_string_value(v), k->word) != 0)
        parse_error(p, SPOT_VALUE, "%s is neither \"%s\" nor an object",
                    parse_show(v, shown), k->word);
    else if (word)
        *(bool *)p->base = true;
    else
        parse_members(p, k->keys, v);
    p->base = outer;
}

/* Objects behind those that options have added. */
static void parse_array(struct parse *p, const struct key *k, json_t *v)
{
    unsigned int *nr = (void *)(p->base + k->nr);
    char *outer = p->base;

    if (!json_is_array(v)) {
        parse_error(p, SPOT_VALUE, "%s is not an array", parse_type(v));
        return;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        size_t len = parse_enter_element(p, (unsigned int)i);

        p->base = outer + k->field + *nr * k->size;
        if (*nr < k->max) {
            ++*nr;
            parse_members(p, k->keys, json_array_get(v, i));
        } else {
            parse_error(p, SPOT_VALUE, "one too many; %llu are possible",
                        (unsigned long long)k->max);
            i = json_array_size(v);
        }
        parse_leave(p, len);
    }
    p->base = outer;
}

/* Recurses with the text, which has been found to nest 16 levels at most. */
static void parse_member(struct parse *p, const struct key *k, json_t *v)
{
    static void (*const leaf[])(struct parse *, const struct key *,
                                const json_t *) = {
        [KEY_STRINGS] = parse_strings, [KEY_LIST] = parse_list,
        [KEY_PAIRS] = parse_pairs,     [KEY_STRING] = parse_string,
        [KEY_BOOL] = parse_bool,       [KEY_INT] = parse_int,
        [KEY_WORD] = parse_word,       [KEY_LATER] = parse_later,
    };

    if (k->kind == KEY_OBJECT)
        parse_object(p, k, v);
    else if (k->kind == KEY_ARRAY)
        parse_array(p, k, v);
    else
        leaf[k->kind](p, k, v);
}

/* ---- the text -------------------------------------------------------------
 */

/* jansson stops behind the token that it names "near '...'". */
static size_t parse_token_start(const json_error_t *e)
{
    const char *near = strstr(e->text, "near '");
    size_t end = (size_t)MAX(e->position, 0);
    size_t n = near ? strlen(near + strlen("near '")) : 0;

    return n > 0 && n - 1 <= end ? end - (n - 1) : end;
}

/* The repeated key's opening quote, and the key with its quotes into buf. */
static size_t parse_key_start(const struct parse *p, const json_error_t *e,
                              char *buf, size_t size)
{
    size_t end = MIN((size_t)MAX(e->position, 0), p->len);
    size_t start = end > 1 ? end - 2 : 0;

    while (start > 0 && (p->text[start] != '"' || p->text[start - 1] == '\\'))
        start--;
    snprintf(buf, size, "%.*s", (int)MIN(end - start, (size_t)PARSE_SHOWN),
             p->text + start);
    return start;
}

static int parse_syntax(struct parse *p, const json_error_t *e)
{
    char what[sizeof(e->text) + 64], key[PARSE_SHOWN + 1];
    size_t at = parse_token_start(e);

    switch (json_error_code(e)) {
    case json_error_duplicate_key:
        at = parse_key_start(p, e, key, sizeof(key));
        snprintf(what, sizeof(what), "%s: duplicate key", key);
        break;
    case json_error_null_character:
        snprintf(what, sizeof(what), "\\u0000 is not allowed");
        break;
    default:
        snprintf(what, sizeof(what), "not JSON: %s", e->text);
    }
    for (char *s = what; *s; s++)
        if (*s < ' ' || *s > '~')
            *s = '?';
    return parse_text_error(p, at, what);
}

/* What jansson would let through, or say less well. */
static int parse_limits(struct parse *p)
{
    const char *nul = memchr(p->text, '\0', p->len);
    size_t deep = position_too_deep(p->text, p->len, JSON_DEPTH_MAX);

    if (p->len > PARSE_TEXT_MAX)
        return fail_rule(-EINVAL, "%s: longer than 1 MiB", p->name);
    if (nul)
        return parse_text_error(p, (size_t)(nul - p->text),
                                "a NUL byte is not allowed");
    if (deep < p->len)
        return parse_text_error(p, deep, "nested deeper than 16 levels");
    return 0;
}

static int parse_keep_text(struct parse *p)
{
    struct config_origins *o = p->c->origins;

    o->name = strdup(p->name);
    o->text = malloc(p->len + 1);
    if (!o->name || !o->text)
        return fail(-ENOMEM, "%s", p->name);
    memcpy(o->text, p->text, p->len);
    o->len = p->len;
    return 0;
}

int config_parse(struct config *c, const char *name, const char *text,
                 size_t len)
{
    struct parse p = {
        .c = c, .name = name, .text = text, .len = len, .base = (void *)c};
    json_error_t error;
    json_t *root;
    int r = parse_limits(&p);

    if (r == 0)
        r = parse_keep_text(&p);
    if (r < 0)
        return r;
    root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return parse_syntax(&p, &error);
    parse_members(&p, schema, root);
    json_decref(root);
    return p.errors ? -EINVAL : 0;
}
