/* SPDX-License-Identifier: Apache-2.0 */
/* capture.h: what fail() and the log printed, for comparing */
#ifndef MOTE_CAPTURE_H
#define MOTE_CAPTURE_H

#include <pthread.h>

#include "mote/base.h"
#include "mote/log.h"

static pthread_mutex_t capture_lock = PTHREAD_MUTEX_INITIALIZER;
static char capture_text[8192]; /* plainly when no other thread prints */
static size_t capture_len;

static void capture_sink(const char *text, size_t len)
{
    pthread_mutex_lock(&capture_lock);
    len = MIN(len, sizeof(capture_text) - 1 - capture_len);
    memcpy(capture_text + capture_len, text, len);
    capture_len += len;
    capture_text[capture_len] = '\0';
    pthread_mutex_unlock(&capture_lock);
}

static inline bool capture_has(const char *text)
{
    bool has;

    pthread_mutex_lock(&capture_lock);
    has = strstr(capture_text, text) != NULL;
    pthread_mutex_unlock(&capture_lock);
    return has;
}

static inline void capture_start(void)
{
    capture_len = 0;
    capture_text[0] = '\0';
    log_sink_set(capture_sink);
}

#endif
