/* SPDX-License-Identifier: Apache-2.0 */
/* check.h: the parts of config_check(); each prints what is wrong, and returns
 * 0 or -EINVAL */
#ifndef MOTE_CONFIG_CHECK_H
#define MOTE_CONFIG_CHECK_H

#include "mote/config.h"

/* *field is the path of a file that mote is going to read, or NULL. */
int check_file(const struct config *c, char *const *field);

/* A drive's image can be opened as the drive is going to be used. */
int check_image(const struct config *c, const struct drive_config *d);

/* Nothing is written that another block names, too. */
int check_paths(const struct config *c);

/* One command, and what it needs. */
int check_run(const struct config *c);

/* The metadata service, and what it is to serve. */
int check_mmds(const struct config *c);

/* Drives, network interfaces, and how many devices there are. */
int check_devices(const struct config *c);

#endif
