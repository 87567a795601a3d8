/* SPDX-License-Identifier: Apache-2.0 */
/* command.h: filling a struct rootfs_command, text by text */
#ifndef MOTE_ROOTFS_COMMAND_H
#define MOTE_ROOTFS_COMMAND_H

#include "mote/rootfs.h"

#include "wire.h"

#define COMMAND_LIST_MAX 4096u       /* texts of one list */
#define COMMAND_TEXT_MAX (32u << 10) /* bytes of one text */

/* Add len bytes, without a NUL, as the next text of a list, or as the one text.
 * 0, -E2BIG, -EINVAL (it is no enum wire_text, or has a NUL), or -ENOMEM; not
 * reported. */
int command_add(struct rootfs_command *c, enum wire_text what, const char *text,
                size_t len);
void command_free(struct rootfs_command *c);

#endif
