/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h: the data as a tree over two texts that are made once. One is the
 * whole data as compact JSON, of which the JSON of any value is a part. The
 * other has what a value is as plain text: a string itself, or the names in an
 * object, one a line, with a / behind those of objects.
 */
#ifndef MOTE_MMDS_STORE_H
#define MOTE_MMDS_STORE_H

#include "mote/base.h"

struct mmds_span { /* of one of the texts */
    u32 at, len;
};

struct mmds_node {
    struct mmds_span key; /* of the text; unused in an array */
    struct mmds_span json, text;
    u32 child, nr; /* its children, in a row, and sorted if they have keys */
    bool array;
    bool has_text; /* false: a number, true, false, null, an array */
};

struct mmds_store {
    char *json, *text;
    size_t json_len, text_len;
    struct mmds_node *node; /* [0]: the root */
    u32 nr;
};

/* Of a JSON object. limit: of json_len. 0 or a negative errno, and why. */
int mmds_store_init(struct mmds_store *s, const char *json, size_t len,
                    u32 limit, char *why, size_t why_len);
void mmds_store_fini(struct mmds_store *s);

/* By a path such as /latest/meta-data/: a JSON pointer in which slashes may be
 * repeated and be the end. NULL: there is nothing. */
const struct mmds_node *mmds_store_find(const struct mmds_store *s,
                                        const char *path, size_t len);

#endif
