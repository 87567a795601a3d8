/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h: the keys of the configuration file, one row each */
#ifndef MOTE_CONFIG_SCHEMA_H
#define MOTE_CONFIG_SCHEMA_H

#include "mote/config.h"

enum key_kind {
    KEY_OBJECT,
    KEY_ARRAY,   /* of objects */
    KEY_STRINGS, /* an array of strings; min to max of them and a NULL */
    KEY_LIST,    /* the same, allocated: char **, NULL if not given */
    KEY_PAIRS,   /* an object of strings with free names; as KEY_ARRAY */
    KEY_STRING,
    KEY_BOOL,
    KEY_INT,   /* unsigned int; u64 if there is a scale */
    KEY_WORD,  /* one of words; an enum */
    KEY_LATER, /* known, not supported yet */
    KEY_OTHER, /* not a key, but what is meant has another name: see hint */
};

#define KEY_NO_FIELD SIZE_MAX /* checked, and says nothing to mote */

struct key {
    const char *name; /* NULL: end */
    enum key_kind kind;
    bool required;
    bool filled;   /* KEY_STRING: not empty. */
    bool defaults; /* KEY_LATER: null, false and [] mean what mote does */
    size_t field;  /* offset in the struct that the object fills */
    config_form_fn *form;             /* of a string or each; may be NULL */
    config_form_fn *name_form;        /* KEY_PAIRS: of names; may be NULL */
    const struct key *keys;           /* KEY_OBJECT, KEY_ARRAY */
    const struct config_words *words; /* KEY_WORD */
    u64 min, max, scale;              /* KEY_INT; scale 0: as it is */
    const char *hint;                 /* KEY_LATER, KEY_OTHER */

    /* KEY_OBJECT, KEY_ARRAY: of the struct at field, of each element. An object
     * whose struct is all zeros is not printed. 0: always printed. */
    size_t size;
    size_t
        nr; /* KEY_ARRAY, KEY_PAIRS: offset of the unsigned int that counts */
    size_t
        given; /* KEY_OBJECT: offset in its struct of a bool to set; 0: none */
    const char *word; /* KEY_OBJECT: a string allowed in its place, which sets
                         the bool at its struct's start */
};

extern const struct key schema[]; /* of the file's one object */

#endif
