/* SPDX-License-Identifier: Apache-2.0 */
/* user.c: names to numbers, as passwd(5) and group(5) have them */
#include "user.h"
#include "text.h"

#define USER_ID_MAX (UINT32_MAX - 1) /* -1 means "unchanged" to the kernel */

/* A part of a text. */
struct user_word {
    const char *at;
    size_t len;
};

static struct user_word user_word(const char *at, const char *ends)
{
    return (struct user_word){at, strcspn(at, ends)};
}

static bool user_same(struct user_word a, struct user_word b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

static bool user_number(struct user_word w, u32 *n)
{
    return text_number(w.at, w.at + w.len, USER_ID_MAX, n);
}

/* Field n of the line, which are separated by colons; empty: there are fewer.
 */
static struct user_word user_field(const char *line, unsigned int n)
{
    while (n > 0 && line[strcspn(line, ":\n")] == ':') {
        line += strcspn(line, ":\n") + 1;
        n--;
    }
    return n ? (struct user_word){line, 0} : user_word(line, ":\n");
}

static const char *user_next(const char *line)
{
    line += strcspn(line, "\n");
    return *line ? line + 1 : line;
}

/* The first line of that name or number (field 2 of both files), or NULL. */
static const char *user_line(const char *file, struct user_word w)
{
    u32 want, n;
    bool number = user_number(w, &want);

    for (const char *line = file; *line; line = user_next(line)) {
        if (!user_number(user_field(line, 2), &n))
            continue;
        if (number ? n == want : user_same(user_field(line, 0), w))
            return line;
    }
    return NULL;
}

/* What the file calls w, or w itself. */
static bool user_id(const char *line, struct user_word w, u32 *id)
{
    return line ? user_number(user_field(line, 2), id) : user_number(w, id);
}

/* name:password:GID:member,member */
static bool user_is_member(const char *line, struct user_word name)
{
    struct user_word members = user_field(line, 3);
    const char *end = members.at + members.len;

    for (const char *at = members.at; at < end;) {
        struct user_word member = user_word(at, ",:\n");

        if (user_same(member, name))
            return true;
        at += member.len + 1;
    }
    return false;
}

static void user_join_groups(struct user *u, struct user_word name,
                             const char *group)
{
    gid_t gid;

    for (; *group && u->nr_groups < USER_GROUPS; group = user_next(group))
        if (user_is_member(group, name) &&
            user_number(user_field(group, 2), &gid))
            u->groups[u->nr_groups++] = gid;
}

/* name:password:UID:GID:comment:HOME:shell */
static void user_take_home(struct user *u, const char *line)
{
    struct user_word home = user_field(line, 5);

    if (home.len == 0 || home.at[0] != '/' || home.len >= sizeof(u->home))
        return;
    memcpy(u->home, home.at, home.len);
    u->home[home.len] = '\0';
}

unsigned int user_find(struct user *u, const char *text, const char *passwd,
                       const char *group)
{
    struct user_word who = user_word(text ? text : "0:0", ":"), with;
    const char *line = user_line(passwd, who);
    bool grouped = who.at[who.len] == ':';

    *u = (struct user){.uid = 0};
    if (!user_id(line, who, &u->uid))
        return GUEST_STEP_NO_USER;
    if (line)
        user_take_home(u, line);
    if (grouped) {
        with = user_word(who.at + who.len + 1, "");
        return user_id(user_line(group, with), with, &u->gid)
                   ? 0
                   : GUEST_STEP_NO_GROUP;
    }
    if (line && user_number(user_field(line, 3), &u->gid))
        user_join_groups(u, user_field(line, 0), group);
    return 0;
}
