/* SPDX-License-Identifier: Apache-2.0 */
/* store.c: a JSON object into answers, and a path to one of them */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "mote/mmds.h"

#include "store.h"

/* One of the two texts, while it grows. */
struct sink {
    FILE *file;
    u32 at;
};

struct render {
    struct mmds_store *s;
    struct sink json, text;
    u32 nr; /* nodes that are in use */
    bool failed;
};

/* ---- rendering ---------------------------------------------------------- */

static struct mmds_span render_put(struct sink *to, const char *text,
                                   size_t len)
{
    struct mmds_span span = {to->at, (u32)len};

    fwrite(text, 1, len, to->file); /* fclose() tells whether all went well */
    to->at += (u32)len;
    return span;
}

static int render_dumped(const char *text, size_t len, void *ctx)
{
    render_put(ctx, text, len);
    return 0;
}

/* The fewest digits that read back as the same number: 0.1 is not
 * 0.10000000000000001. */
static size_t render_real_flags(const json_t *v)
{
    size_t digits = 15;
    char text[64];

    for (; digits < 17; digits++) {
        size_t n = json_dumpb(v, text, sizeof(text) - 1,
                              JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));

        text[MIN(n, sizeof(text) - 1)] = '\0';
        if (strtod(text, NULL) == json_real_value(v))
            break;
    }
    return JSON_REAL_PRECISION(digits);
}

static void render_scalar(struct render *r, const json_t *v,
                          struct mmds_node *node)
{
    size_t flags = JSON_ENCODE_ANY | JSON_COMPACT;

    if (json_is_real(v))
        flags |= render_real_flags(v);
    if (json_dump_callback(v, render_dumped, &r->json, flags) < 0)
        r->failed = true;
    if (!json_is_string(v))
        return;
    node->text =
        render_put(&r->text, json_string_value(v), json_string_length(v));
    node->has_text = true;
}

static void render_key(struct render *r, const char *key)
{
    json_t *v = json_string(key);

    if (!v || json_dump_callback(v, render_dumped, &r->json,
                                 JSON_ENCODE_ANY | JSON_COMPACT) < 0)
        r->failed = true;
    json_decref(v);
    render_put(&r->json, ":", 1);
}

/* The names in an object as a list, which is also where its children have
 * theirs. */
static void render_names(struct render *r, const json_t *object,
                         const char *const *key, struct mmds_node *node)
{
    node->text.at = r->text.at;
    node->has_text = true;
    for (u32 i = 0; i < node->nr; i++) {
        struct mmds_node *child = &r->s->node[node->child + i];

        if (i > 0)
            render_put(&r->text, "\n", 1);
        child->key = render_put(&r->text, key[i], strlen(key[i]));
        if (json_is_object(json_object_get(object, key[i])))
            render_put(&r->text, "/", 1);
    }
    node->text.len = r->text.at - node->text.at;
}

static int render_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of its bytes, as Firecracker lists them; NULL: no memory. */
static const char **render_sorted(json_t *object)
{
    const char **key = calloc(json_object_size(object) + 1, sizeof(*key));
    const char *name;
    json_t *v;
    size_t n = 0;

    if (!key)
        return NULL;
    json_object_foreach(object, name, v) key[n++] = name;
    qsort(key, n, sizeof(*key), render_order);
    return key;
}

static void render_value(struct render *r, json_t *v, u32 index);

static void render_object(struct render *r, json_t *v, struct mmds_node *node)
{
    const char **key = render_sorted(v);

    if (!key) {
        r->failed = true;
        return;
    }
    render_names(r, v, key, node);
    for (u32 i = 0; i < node->nr; i++) {
        render_put(&r->json, i ? "," : "{", 1);
        render_key(r, key[i]);
        render_value(r, json_object_get(v, key[i]), node->child + i);
    }
    render_put(&r->json, node->nr > 0 ? "}" : "{}", node->nr > 0 ? 1 : 2);
    free(key);
}

static void render_array(struct render *r, json_t *v, struct mmds_node *node)
{
    node->array = true;
    for (u32 i = 0; i < node->nr; i++) {
        render_put(&r->json, i ? "," : "[", 1);
        render_value(r, json_array_get(v, i), node->child + i);
    }
    render_put(&r->json, node->nr > 0 ? "]" : "[]", node->nr > 0 ? 1 : 2);
}

/* Recurses with the data, of which render_count() knows how deep it is. */
static void render_value(struct render *r, json_t *v, u32 index)
{
    struct mmds_node *node = &r->s->node[index];

    node->json.at = r->json.at;
    node->child = r->nr;
    node->nr = (u32)(json_object_size(v) + json_array_size(v));
    r->nr += node->nr;
    if (json_is_object(v))
        render_object(r, v, node);
    else if (json_is_array(v))
        render_array(r, v, node);
    else
        render_scalar(r, v, node);
    node->json.len = r->json.at - node->json.at;
}

/* Nodes below and with v; 0: nested too deep. */
static u32 render_count(json_t *v, unsigned int depth)
{
    const char *key;
    json_t *child;
    u32 nr = 1, n = 1;
    size_t i;

    if (depth > MMDS_DEPTH_MAX)
        return 0;
    json_object_foreach(v, key, child)
    {
        n = n ? render_count(child, depth + 1) : 0;
        nr += n;
    }
    json_array_foreach(v, i, child)
    {
        n = n ? render_count(child, depth + 1) : 0;
        nr += n;
    }
    return n ? nr : 0;
}

/* ---- making one --------------------------------------------------------- */

static int store_open_sinks(struct mmds_store *s, struct render *r)
{
    r->json.file = open_memstream(&s->json, &s->json_len);
    r->text.file = open_memstream(&s->text, &s->text_len);
    return r->json.file && r->text.file ? 0 : -ENOMEM;
}

static int store_close_sink(struct sink *to)
{
    return to->file && fclose(to->file) == 0 ? 0 : -ENOMEM;
}

static int store_render(struct mmds_store *s, json_t *root)
{
    struct render r = {.s = s, .nr = 1};
    int err = store_open_sinks(s, &r);

    s->node = calloc(s->nr, sizeof(*s->node));
    if (!s->node)
        err = -ENOMEM;
    if (err == 0)
        render_value(&r, root, 0);
    err |= store_close_sink(&r.json) | store_close_sink(&r.text);
    return err || r.failed ? -ENOMEM : 0;
}

static int store_explain(const json_error_t *e, char *why, size_t len)
{
    snprintf(why, len, "line %d, column %d: not JSON: %s", e->line, e->column,
             e->text);
    for (char *s = why; *s; s++)
        if (*s < ' ' || *s > '~')
            *s = '?';
    return -EINVAL;
}

static int store_take(struct mmds_store *s, json_t *root, u32 limit, char *why,
                      size_t len)
{
    int r = 0;

    s->nr = render_count(root, 1);
    if (!json_is_object(root))
        r = -EINVAL;
    if (r < 0)
        snprintf(why, len, "is not a JSON object");
    else if (s->nr == 0)
        snprintf(why, len, "nested deeper than %u levels", MMDS_DEPTH_MAX);
    if (r < 0 || s->nr == 0)
        return -EINVAL;
    r = store_render(s, root);
    if (r < 0)
        snprintf(why, len, "no memory");
    if (r < 0 || s->json_len <= limit)
        return r;
    snprintf(why, len,
             "%zu bytes as compact JSON; %u are allowed, or what "
             "--mmds-size-limit or size_limit says",
             s->json_len, limit);
    return -E2BIG;
}

int mmds_store_init(struct mmds_store *s, const char *json, size_t len,
                    u32 limit, char *why, size_t why_len)
{
    json_error_t e;
    json_t *root =
        json_loadb(json, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    int r;

    *s = (struct mmds_store){0};
    if (!root)
        return store_explain(&e, why, why_len);
    r = store_take(s, root, limit, why, why_len);
    json_decref(root);
    if (r < 0)
        mmds_store_fini(s);
    return r;
}

void mmds_store_fini(struct mmds_store *s)
{
    free(s->json);
    free(s->text);
    free(s->node);
    *s = (struct mmds_store){0};
}

/* ---- looking ------------------------------------------------------------ */

/* The next byte of a pointer's token: ~1 is a slash, ~0 a tilde (RFC 6901). */
static u8 token_byte(const char **at, const char *end)
{
    const char *p = (*at)++;

    if (*p != '~' || *at == end || (**at != '0' && **at != '1'))
        return (u8)*p;
    return *(*at)++ == '0' ? '~' : '/';
}

/* As strcmp(token, key). */
static int token_order(const char *token, size_t len, const char *key,
                       size_t key_len)
{
    const char *end = token + len;

    for (size_t i = 0; token < end; i++) {
        u8 c = token_byte(&token, end);

        if (i == key_len || c > (u8)key[i])
            return 1;
        if (c < (u8)key[i])
            return -1;
        if (token == end)
            return i + 1 < key_len ? -1 : 0;
    }
    return key_len > 0 ? -1 : 0;
}

static const struct mmds_node *store_by_key(const struct mmds_store *s,
                                            const struct mmds_node *node,
                                            const char *token, size_t len)
{
    u32 low = 0, high = node->nr;

    while (low < high) {
        u32 mid = low + (high - low) / 2;
        const struct mmds_node *n = &s->node[node->child + mid];
        int order = token_order(token, len, s->text + n->key.at, n->key.len);

        if (order == 0)
            return n;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

/* An index has digits only and none in front that it does not need. */
static const struct mmds_node *store_by_index(const struct mmds_store *s,
                                              const struct mmds_node *node,
                                              const char *token, size_t len)
{
    u64 index = 0;

    if (len == 0 || len > 9 || (len > 1 && token[0] == '0'))
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (token[i] < '0' || token[i] > '9')
            return NULL;
        index = index * 10 + (u64)(token[i] - '0');
    }
    return index < node->nr ? &s->node[node->child + index] : NULL;
}

const struct mmds_node *mmds_store_find(const struct mmds_store *s,
                                        const char *path, size_t len)
{
    const struct mmds_node *node = s->nr > 0 ? s->node : NULL;
    const char *end = path + len;

    if (len == 0 || *path != '/')
        return NULL;
    while (node) {
        const char *token;

        while (path < end && *path == '/')
            path++;
        if (path == end)
            return node;
        token = path;
        while (path < end && *path != '/')
            path++;
        if (node->array)
            node = store_by_index(s, node, token, (size_t)(path - token));
        else
            node = store_by_key(s, node, token, (size_t)(path - token));
    }
    return NULL;
}
