/* SPDX-License-Identifier: Apache-2.0 */
/* origin.h: where each value of the configuration came from */
#ifndef MOTE_CONFIG_ORIGIN_H
#define MOTE_CONFIG_ORIGIN_H

#include "mote/config.h"

#include "position.h"

/* Members of struct config that can be set: 43 in blocks, then at most 37 of
 * each drive, 25 of each interface and 3 of each port. */
#define ORIGIN_MAX  (43 + CONFIG_DEVICE_MAX * (37 + 25) + CONFIG_PORT_MAX * 3)
#define ORIGIN_PATH 128

struct origin {
    const void *field;
    const char *option; /* NULL: the file's */
    struct json_path path;
    char key[ORIGIN_PATH]; /* "machine-config.vcpu_count" */
};

struct config_origins {
    char *name; /* the file, and its text for positions */
    char *text;
    size_t len;
    unsigned int nr;
    struct origin origin[ORIGIN_MAX];
};

/* NULL: the default. */
const struct origin *origin_find(const struct config *c, const void *field);

void origin_set_file(struct config *c, const void *field,
                     const struct json_path *path, const char *key);

#endif
