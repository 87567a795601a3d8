/* SPDX-License-Identifier: Apache-2.0 */
/* position.h: where in a JSON text a value stands, found only for errors */
#ifndef MOTE_CONFIG_POSITION_H
#define MOTE_CONFIG_POSITION_H

#include "mote/base.h"

#define JSON_DEPTH_MAX 16

struct position {
    unsigned int line;   /* from 1 */
    unsigned int column; /* from 1, in characters */
};

/* The way from the root to a value: which member or element on each level.
 * Ordinals need no comparing of keys, which may be spelled with escapes. */
struct json_path {
    unsigned int depth;
    unsigned int step[JSON_DEPTH_MAX];
};

enum json_spot { SPOT_KEY, SPOT_VALUE };

struct position position_at(const char *text, size_t len, size_t offset);

/* For text that has been parsed; a path that is not there gives the deepest
 * part of it that is. */
struct position position_find(const char *text, size_t len,
                              const struct json_path *path,
                              enum json_spot spot);

/* Offset of the first bracket nested deeper than max; len if there is none. */
size_t position_too_deep(const char *text, size_t len, unsigned int max);

#endif
