/* SPDX-License-Identifier: Apache-2.0 */
/* request.h: an HTTP/1.x request, as far as the service looks at it */
#ifndef MOTE_MMDS_REQUEST_H
#define MOTE_MMDS_REQUEST_H

#include "mote/base.h"

struct text {       /* bytes of the buffer that the request is in */
    const char *at; /* NULL: not given */
    u32 len;
};

enum method { METHOD_GET, METHOD_PUT, METHOD_HEAD, METHOD_OTHER };

struct request {
    enum method method;
    struct text path; /* "" if the target has none */
    struct text token, ttl, ttl_name;
    struct text accept;
    bool forwarded; /* by a proxy, which says so */
    bool close;
    bool has_length;
    u32 body; /* bytes of it */
};

/*
 * Parse what is in front of the empty line. 0, or the status of what is wrong
 * with it, and *why. *used: bytes with that line; 0: it is not there.
 */
unsigned int request_parse(struct request *r, const char *in, u32 len,
                           u32 *used, const char **why);

/* Equal but for upper and lower case? */
bool text_is(const struct text *t, const char *word);

/* What is in front of the next c, which is taken too; or all there is. *t
 * becomes the rest. */
struct text text_until(struct text *t, char c);

/* Without blanks and tabs at both ends. */
struct text text_trim(struct text t);

#endif
