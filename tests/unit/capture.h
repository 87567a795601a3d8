/* SPDX-License-Identifier: Apache-2.0 */
/* capture.h: what fail() and the log printed, for comparing */
#ifndef MOTE_CAPTURE_H
#define MOTE_CAPTURE_H

#include "mote/base.h"
#include "mote/log.h"

static char capture_text[8192];
static size_t capture_len;

static void capture_sink(const char *text, size_t len)
{
    len = MIN(len, sizeof(capture_text) - 1 - capture_len);
    memcpy(capture_text + capture_len, text, len);
    capture_len += len;
    capture_text[capture_len] = '\0';
}

static inline void capture_start(void)
{
    capture_len = 0;
    capture_text[0] = '\0';
    log_sink_set(capture_sink);
}

#endif
