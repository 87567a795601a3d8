/* SPDX-License-Identifier: Apache-2.0 */
/* lib.c: librados and librbd, loaded when an RBD image is asked for */
#include <dlfcn.h>

#include "mote/log.h"

#include "lib.h"

enum { LIB_rados, LIB_rbd, LIBS };

static const char *const lib_file[LIBS] = {
    [LIB_rados] = "librados.so.2",
    [LIB_rbd] = "librbd.so.1",
};

static const struct lib_symbol {
    const char *name;
    size_t offset; /* of the pointer in struct rbd_lib */
    u8 library;
    bool required;
} lib_symbol[] = {
#define RBD_LIB_ROW(library, required, result, name, args)                     \
    {#name, offsetof(struct rbd_lib, name), LIB_##library, required},
    RBD_LIB(RBD_LIB_ROW)
#undef RBD_LIB_ROW
};

int rbd_lib_load(struct rbd_lib *lib)
{
    void *handle[LIBS], *fn;

    for (unsigned int i = 0; i < LIBS; i++) {
        handle[i] = dlopen(lib_file[i], RTLD_NOW | RTLD_LOCAL);
        if (!handle[i])
            return fail(-ENOENT,
                        "rbd: cannot load %s (%s); install the Ceph client "
                        "library: apt-get install librbd1",
                        lib_file[i], dlerror());
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(lib_symbol); i++) {
        const struct lib_symbol *s = &lib_symbol[i];

        fn = dlsym(handle[s->library], s->name);
        if (!fn && s->required)
            return fail(-ENOSYS,
                        "rbd: %s has no %s: it is too old; mote needs the "
                        "libraries of Ceph 14 or newer",
                        lib_file[s->library], s->name);
        memcpy((char *)lib + s->offset, &fn, sizeof(fn));
    }
    return 0;
}
