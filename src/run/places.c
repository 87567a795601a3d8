/* SPDX-License-Identifier: Apache-2.0 */
/* places.c: directories of the user's, by the environment */
#include <stdio.h>
#include <stdlib.h>

#include "mote/config.h"
#include "mote/log.h"

#include "places.h"

#define PLACES_CACHE_MAX (4 * GIB)

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

int places_cache_max(u64 *bytes)
{
    const char *text = getenv("MOTE_CACHE_MAX"); /* NOLINT: no thread yet */

    *bytes = PLACES_CACHE_MAX;
    if (!text || !*text)
        return 0;
    *bytes = 0;
    if (strcmp(text, "0") == 0 || config_parse_size(text, bytes) == 0)
        return 0;
    return fail_rule(-EINVAL,
                     "$MOTE_CACHE_MAX: \"%s\" is not a size, such as 4G, or 0 "
                     "for no limit",
                     text);
}
