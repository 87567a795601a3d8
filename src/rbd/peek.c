/* SPDX-License-Identifier: Apache-2.0 */
/* peek.c: could there be a worker? */
#include "mote/rbd.h"

#include "lib.h"

int rbd_peek_libraries(void)
{
    struct rbd_lib lib;

    return rbd_lib_load(&lib);
}
