/* SPDX-License-Identifier: Apache-2.0 */
/* clone.c: clone format 2, which needs no protected snapshot */
#include <stdio.h>

#include "mote/log.h"

#include "clone.h"

static int clone_call(struct image *im)
{
    const struct rbd_lib *lib = im->cluster->lib;
    const struct rbd_image *s = im->spec;
    rbd_options_t opt;
    int r;

    lib->rbd_image_options_create(&opt);
    r = lib->rbd_image_options_set_uint64(opt, RBD_OPTION_CLONE_FORMAT, 2);
    if (r == 0)
        r = lib->rbd_clone3(im->io, s->image, s->snapshot, im->io, s->clone,
                            opt);
    lib->rbd_image_options_destroy(opt);
    return r;
}

int clone_make(struct image *im)
{
    const struct rbd_image *s = im->spec;
    int r = clone_call(im);

    if (r == -EEXIST && (s->keep_clone || im->gen > 1))
        return 0;
    if (r == -EEXIST)
        return fail_rule(r,
                         "%s: its clone %s exists: another VM has this id, or "
                         "a host crashed (mote rbd-gc %s removes those)",
                         im->who, s->clone, s->pool);
    if (r == -ENOENT)
        return fail(r, "%s: no such image, or no such snapshot", im->who);
    if (r < 0)
        return fail(r, "%s: cannot be cloned as %s", im->who, s->clone);
    log_info("%s: cloned as %s", im->who, s->clone);
    return 0;
}

int clone_mark(struct image *im, const char *owner)
{
    const struct rbd_lib *lib = im->cluster->lib;
    int r = lib->rbd_metadata_set(im->rbd, CLONE_META_OWNER, owner);

    if (r == 0)
        r = lib->rbd_metadata_set(im->rbd, CLONE_META_EPHEMERAL, "1");
    if (r < 0)
        return fail(r, "%s: metadata of its clone %s", im->who,
                    im->spec->clone);
    return 0;
}

void clone_remove(struct image *im)
{
    const struct rbd_image *s = im->spec;
    int r = im->cluster->lib->rbd_remove(im->io, s->clone);

    if (r < 0 && r != -ENOENT)
        fail(r,
             "%s: its clone %s is still there; 'mote rbd-gc %s' removes it "
             "later",
             im->who, s->clone, s->pool);
}
