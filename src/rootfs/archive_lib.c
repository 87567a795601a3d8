/* SPDX-License-Identifier: Apache-2.0 */
/* archive_lib.c: libarchive, loaded when an archive is to be read */
#include <dlfcn.h>

#include "mote/log.h"

#include "archive_lib.h"

#define ARCHIVE_LIB_FILE "libarchive.so.13"

static const struct archive_symbol {
    const char *name;
    size_t offset; /* of the pointer in struct archive_lib */
} archive_symbol[] = {
#define ARCHIVE_LIB_ROW(name) {#name, offsetof(struct archive_lib, name)},
    ARCHIVE_LIB(ARCHIVE_LIB_ROW)
#undef ARCHIVE_LIB_ROW
};

int archive_lib_load(struct archive_lib *lib)
{
    void *handle = dlopen(ARCHIVE_LIB_FILE, RTLD_NOW | RTLD_LOCAL), *fn;

    if (!handle)
        return fail_rule(-ENOENT,
                         "archives are read by libarchive, and there is none "
                         "(%s): apt-get install libarchive13",
                         dlerror());
    for (unsigned int i = 0; i < ARRAY_SIZE(archive_symbol); i++) {
        const struct archive_symbol *s = &archive_symbol[i];

        fn = dlsym(handle, s->name);
        if (!fn)
            return fail_rule(-ENOSYS,
                             ARCHIVE_LIB_FILE " has no %s: it is too old; mote "
                                              "needs libarchive 3.3.3 or newer",
                             s->name);
        memcpy((char *)lib + s->offset, &fn, sizeof(fn));
    }
    return 0;
}
