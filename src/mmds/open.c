/* SPDX-License-Identifier: Apache-2.0 */
/* open.c: the operator's file and options into what is served */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mote/log.h"

#include "service.h"

#define FILE_MAX (4 * MIB) /* with all its blanks */

const char *const mmds_counters[MMDS_COUNTERS] = {
    [MMDS_TAKEN] = "rx_accepted",
    [MMDS_DROPPED] = "rx_accepted_err",
    [MMDS_RECEIVED] = "rx_count",
    [MMDS_NO_TOKEN] = "rx_no_token",
    [MMDS_BAD_TOKEN] = "rx_invalid_token",
    [MMDS_SENT] = "tx_count",
    [MMDS_SENT_FRAMES] = "tx_frames",
    [MMDS_SENT_BYTES] = "tx_bytes",
    [MMDS_CREATED] = "connections_created",
    [MMDS_DESTROYED] = "connections_destroyed",
};

void mmds_count(const struct mmds *m, u64 value[static MMDS_COUNTERS])
{
    for (unsigned int i = 0; i < MMDS_COUNTERS; i++)
        value[i] = atomic_load_explicit(&m->counter[i], memory_order_relaxed);
}

static int open_failed(int err, char *why, size_t len)
{
    snprintf(why, len, "%s (%s)", strerrordesc_np(err), errno_name(err));
    return -err;
}

/* All of it into buf, FILE_MAX bytes. */
static ssize_t open_slurp(int fd, char *buf, char *why, size_t len)
{
    size_t done = 0;
    ssize_t n;

    while (done < FILE_MAX) {
        n = read(fd, buf + done, FILE_MAX - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return open_failed(errno, why, len);
        if (n == 0)
            return (ssize_t)done;
        done += (size_t)n;
    }
    snprintf(why, len, "longer than %llu MiB", FILE_MAX / MIB);
    return -EFBIG;
}

static int open_store(struct mmds_store *s, const struct mmds_options *opt,
                      char *why, size_t len)
{
    char *buf = malloc(FILE_MAX);
    int fd = -1, r = buf ? 0 : open_failed(ENOMEM, why, len);
    ssize_t n = 0;

    if (r == 0) {
        fd = open(opt->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        n = fd < 0 ? open_failed(errno, why, len)
                   : open_slurp(fd, buf, why, len);
        r = (int)MIN(n, 0);
    }
    if (fd >= 0)
        close(fd);
    if (r == 0)
        r = mmds_store_init(s, buf, (size_t)n,
                            opt->size ? opt->size : MMDS_SIZE, why, len);
    free(buf);
    return r;
}

int mmds_peek(const struct mmds_options *opt, u32 *bytes, char *text,
              size_t len)
{
    struct mmds_store s = {0};
    int r = opt->path ? open_store(&s, opt, text, len) : 0;

    *bytes = (u32)s.json_len;
    mmds_store_fini(&s);
    return r;
}

int mmds_open(struct mmds **out, const struct mmds_options *opt)
{
    const char *address = opt->address ? opt->address : MMDS_ADDRESS;
    struct mmds *m = calloc(1, sizeof(*m));
    char why[256];
    int r;

    if (!m)
        return fail(-ENOMEM, "metadata");
    m->counter = calloc(MMDS_COUNTERS, sizeof(*m->counter));
    if (!m->counter) {
        r = fail(-ENOMEM, "metadata");
        goto free_mmds;
    }
    m->version = opt->version;
    m->text_only = opt->text_only;
    if (inet_pton(AF_INET, address, &m->address) != 1) {
        r = fail_rule(-EINVAL, "metadata: %s is not an IPv4 address", address);
        goto free_mmds;
    }
    r = mmds_key_draw(&m->key);
    if (r < 0)
        goto free_mmds;
    r = opt->path ? open_store(&m->store, opt, why, sizeof(why)) : 0;
    if (r < 0) {
        fail_rule(r, "metadata %s: %s", opt->path, why);
        goto free_mmds;
    }
    *out = m;
    return 0;

free_mmds:
    free(m->counter);
    free(m);
    return r;
}

void mmds_free(struct mmds *m)
{
    if (!m)
        return;
    mmds_store_fini(&m->store);
    explicit_bzero(&m->key, sizeof(m->key));
    free(m->counter);
    free(m);
}
