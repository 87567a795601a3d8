/* SPDX-License-Identifier: Apache-2.0 */
/* places.c: directories of the user's, by the environment */
#include <stdio.h>
#include <stdlib.h>

#include "mote/base.h"

#include "places.h"

char *places_cache(const char *below)
{
    static const struct {
        const char *variable, *cache;
    } places[] = {
        {"MOTE_CACHE", ""},
        {"XDG_CACHE_HOME", "/mote"},
        {"HOME", "/.cache/mote"},
    };
    const char *value;
    char *dir = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        value = getenv(places[i].variable); /* NOLINT(concurrency-mt-unsafe) */
        if (value && *value == '/')
            return asprintf(&dir, "%s%s/%s", value, places[i].cache, below) < 0
                       ? NULL
                       : dir;
    }
    return NULL;
}
