/* SPDX-License-Identifier: Apache-2.0 */
/* position.c: a second walk over a JSON text, to say where an error is */
#include "position.h"

struct walk {
    const char *text;
    size_t len;
    size_t pos;
};

/* NUL at the end of the text, which is no character of JSON. */
static char walk_peek(const struct walk *w)
{
    return w->pos < w->len ? w->text[w->pos] : '\0';
}

static void walk_space(struct walk *w)
{
    while (w->pos < w->len && strchr(" \t\r\n", w->text[w->pos]))
        w->pos++;
}

static void walk_string(struct walk *w)
{
    w->pos++;
    while (w->pos < w->len && w->text[w->pos] != '"')
        w->pos += w->text[w->pos] == '\\' ? 2 : 1;
    w->pos++;
}

/* Over one value; a container ends where its brackets balance. */
static void walk_value(struct walk *w)
{
    unsigned int depth = 0;

    do {
        char c = walk_peek(w);

        if (c == '"') {
            walk_string(w);
            continue;
        }
        if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
        w->pos++;
    } while (w->pos < w->len &&
             (depth > 0 || !strchr(",]} \t\r\n", walk_peek(w))));
}

/* Over a key and its colon, to the value. */
static void walk_key(struct walk *w)
{
    walk_string(w);
    walk_space(w);
    w->pos++;
    walk_space(w);
}

/* From a container to its n-th member (its key) or element. */
static void walk_down(struct walk *w, unsigned int n)
{
    bool object = walk_peek(w) == '{';

    w->pos++;
    walk_space(w);
    for (unsigned int i = 0; i < n && w->pos < w->len; i++) {
        if (object)
            walk_key(w);
        walk_value(w);
        walk_space(w);
        w->pos++; /* the comma */
        walk_space(w);
    }
}

struct position position_at(const char *text, size_t len, size_t offset)
{
    struct position p = {.line = 1, .column = 1};

    for (size_t i = 0; i < len && i < offset; i++) {
        if (text[i] == '\n')
            p = (struct position){.line = p.line + 1, .column = 1};
        else if ((text[i] & 0xc0) != 0x80) /* not a UTF-8 continuation */
            p.column++;
    }
    return p;
}

struct position position_find(const char *text, size_t len,
                              const struct json_path *path, enum json_spot spot)
{
    struct walk w = {.text = text, .len = len};

    walk_space(&w);
    for (unsigned int i = 0; i < path->depth; i++) {
        bool object = walk_peek(&w) == '{';
        bool last = i + 1 == path->depth;

        walk_down(&w, path->step[i]);
        if (object && !(last && spot == SPOT_KEY))
            walk_key(&w);
    }
    return position_at(text, len, w.pos);
}

size_t position_too_deep(const char *text, size_t len, unsigned int max)
{
    struct walk w = {.text = text, .len = len};
    unsigned int depth = 0;

    while (w.pos < len) {
        char c = walk_peek(&w);

        if (c == '"') {
            walk_string(&w);
            continue;
        }
        if ((c == '{' || c == '[') && ++depth > max)
            return w.pos;
        if ((c == '}' || c == ']') && depth > 0)
            depth--;
        w.pos++;
    }
    return len;
}
