/* SPDX-License-Identifier: Apache-2.0 */
/* receive.c: is it a tree, what the reader of an archive says? */
#include <stdlib.h>
#include <sys/stat.h>

#include "mote/log.h"

#include "command.h"
#include "receive.h"

void receive_begin(struct receive *rc, struct rootfs_tree *t,
                   struct rootfs_command *command, u64 bytes_max)
{
    *rc =
        (struct receive){.tree = t, .command = command, .bytes_max = bytes_max};
}

void receive_end(struct receive *rc)
{
    free(rc->node);
    rc->node = NULL;
}

static int receive_nonsense(const struct receive *rc, const char *why)
{
    return fail_rule(-EPROTO,
                     "rootfs %s: what has read it sends %s: this is a bug, or "
                     "an attack by the archive",
                     rc->tree->what, why);
}

/* ---- a name ------------------------------------------------------------- */

struct receive_name {
    struct wire_node wire;
    char name[ROOTFS_NAME + 1], link[ROOTFS_PATH + 1];
};

/* 0 or -EPROTO. */
static int receive_split(const struct wire_record *rec, struct receive_name *n)
{
    const u8 *text = rec->data + sizeof(n->wire);
    const struct wire_node *w = &n->wire;

    if (rec->len < sizeof(n->wire))
        return -EPROTO;
    memcpy(&n->wire, rec->data, sizeof(n->wire));
    if (w->name_len > ROOTFS_NAME || w->link_len > ROOTFS_PATH ||
        rec->len != sizeof(n->wire) + w->name_len + w->link_len ||
        memchr(text, '\0', (size_t)w->name_len + w->link_len))
        return -EPROTO;
    memcpy(n->name, text, w->name_len);
    n->name[w->name_len] = '\0';
    memcpy(n->link, text + w->name_len, w->link_len);
    n->link[w->link_len] = '\0';
    return 0;
}

static bool receive_is_type(u32 mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
        return (mode & ~(u32)S_IFMT) <= 07777;
    default:
        return false;
    }
}

/* The first one is the root, and nothing else is. */
static int receive_check(const struct receive *rc, const struct receive_name *n)
{
    const struct wire_node *w = &n->wire;
    bool first = rc->tree->nr == 0;

    if (first != (w->depth == 0) || w->depth > rc->ways)
        return receive_nonsense(rc, "a name out of place");
    if (!receive_is_type(w->mode) || (first && !S_ISDIR(w->mode)) ||
        S_ISLNK(w->mode) != (w->link_len > 0))
        return receive_nonsense(rc, "a file of no type");
    if (S_ISREG(w->mode) && w->hard == WIRE_NO_HARD &&
        (w->size > rc->bytes_max - rc->tree->bytes ||
         w->offset > UINT64_MAX / 2))
        return receive_nonsense(rc, "a file that is too large");
    if (w->hard != WIRE_NO_HARD &&
        (w->hard >= rc->tree->nr || S_ISDIR(rc->node[w->hard]->mode) ||
         rc->node[w->hard]->hard))
        return receive_nonsense(rc, "a link to no file");
    return 0;
}

static struct rootfs_node receive_like(const struct receive *rc,
                                       struct receive_name *n)
{
    const struct wire_node *w = &n->wire;
    struct rootfs_node like;

    if (w->hard != WIRE_NO_HARD) {
        like = *rc->node[w->hard];
        like.hard = rc->node[w->hard];
        like.name = n->name;
        return like;
    }
    like = (struct rootfs_node){.name = n->name,
                                .mode = w->mode,
                                .uid = w->uid,
                                .gid = w->gid,
                                .mtime = w->mtime,
                                .major = w->major,
                                .minor = w->minor,
                                .link = w->link_len > 0 ? n->link : NULL};
    if (S_ISREG(w->mode)) {
        like.size = w->size;
        like.offset = w->offset;
    }
    return like;
}

static int receive_make_room(struct receive *rc)
{
    u32 room = rc->room ? 2 * rc->room : 1024;
    struct rootfs_node **more;

    if (rc->tree->nr < rc->room)
        return 0;
    more = reallocarray(rc->node, room, sizeof(struct rootfs_node *));
    if (!more)
        return fail(-ENOMEM, "rootfs %s", rc->tree->what);
    rc->node = more;
    rc->room = room;
    return 0;
}

int receive_node(struct receive *rc, const struct wire_record *rec)
{
    struct receive_name n;
    struct rootfs_node like, *made;
    u32 depth;
    int r = receive_split(rec, &n);

    if (r < 0)
        return receive_nonsense(rc, "a record of no form");
    r = receive_check(rc, &n);
    if (r == 0)
        r = receive_make_room(rc);
    if (r < 0)
        return r;
    like = receive_like(rc, &n);
    depth = n.wire.depth;
    r = rootfs_add(rc->tree, depth ? rc->way[depth - 1] : NULL, &like, &made);
    if (r < 0)
        return r;
    rc->node[rc->tree->nr - 1] = made;
    /* Only below a directory may come what is one deeper. */
    rc->ways = S_ISDIR(made->mode) ? depth + 1 : depth;
    if (S_ISDIR(made->mode))
        rc->way[depth] = made;
    if (made->size > 0)
        rc->spool_end = MAX(rc->spool_end, made->offset + made->size);
    return 0;
}

/* ---- a text of the command ---------------------------------------------- */

int receive_text(struct receive *rc, const struct wire_record *rec)
{
    u32 what;
    int r;

    if (rec->len < sizeof(what))
        return receive_nonsense(rc, "a record of no form");
    memcpy(&what, rec->data, sizeof(what));
    r = command_add(rc->command, (enum wire_text)what,
                    (const char *)rec->data + sizeof(what),
                    rec->len - sizeof(what));
    return r < 0 ? receive_nonsense(rc, "a command of no form") : 0;
}
