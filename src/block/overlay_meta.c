/* SPDX-License-Identifier: Apache-2.0 */
/* overlay_meta.c: header and map of a layer file, read with suspicion */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/log.h"

#include "crc.h"
#include "io.h"
#include "overlay.h"

#define META_MAGIC   "MOTEOVL"
#define META_VERSION 1u
#define META_HEADER  4096u
#define META_CRC     (META_HEADER - 4)

static bool meta_is_zero(const u8 *p, u64 len)
{
    return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* ---- life --------------------------------------------------------------- */

int overlay_map_init(struct overlay_map *m, int fd, const char *path,
                     u64 base_size, u64 base_identity)
{
    if (base_size > OVERLAY_SIZE_MAX)
        return fail_rule(-EFBIG, "overlay %s: its base is larger than 64 TiB",
                         path);
    *m = (struct overlay_map){.fd = fd,
                              .path = path,
                              .base_size = base_size,
                              .base_identity = base_identity};
    m->nr_blocks = (base_size + OVERLAY_BLOCK - 1) / OVERLAY_BLOCK;
    m->nr_pages =
        (m->nr_blocks + OVERLAY_PAGE_BLOCKS - 1) / OVERLAY_PAGE_BLOCKS;
    m->data_off = META_HEADER + 2 * m->nr_pages * OVERLAY_PAGE;
    m->data_off = (m->data_off + OVERLAY_BLOCK - 1) & ~(OVERLAY_BLOCK - 1);
    m->length = m->data_off + m->nr_blocks * OVERLAY_BLOCK;
    m->pages = calloc(m->nr_pages + 1, OVERLAY_PAGE);
    m->dirty = calloc(m->nr_pages + 1, sizeof(*m->dirty));
    if (!m->pages || !m->dirty) {
        overlay_map_fini(m);
        return fail(-ENOMEM, "overlay %s: map of %llu blocks", path,
                    (unsigned long long)m->nr_blocks);
    }
    return 0;
}

void overlay_map_fini(struct overlay_map *m)
{
    free(m->pages);
    free(m->dirty);
    m->pages = NULL;
    m->dirty = NULL;
}

/* ---- states ------------------------------------------------------------- */

static u8 *meta_page(const struct overlay_map *m, u64 page)
{
    return m->pages + page * OVERLAY_PAGE;
}

enum overlay_state overlay_map_get(const struct overlay_map *m, u64 block)
{
    const u8 *page = meta_page(m, block / OVERLAY_PAGE_BLOCKS);
    u64 i = block % OVERLAY_PAGE_BLOCKS;

    return (page[OVERLAY_PAGE_HEAD + i / 4] >> (i % 4 * 2)) & 3;
}

void overlay_map_set(struct overlay_map *m, u64 block, enum overlay_state st)
{
    u8 *page = meta_page(m, block / OVERLAY_PAGE_BLOCKS);
    u64 i = block % OVERLAY_PAGE_BLOCKS;
    u8 *byte = &page[OVERLAY_PAGE_HEAD + i / 4];
    unsigned int shift = (unsigned int)(i % 4) * 2;
    enum overlay_state old = overlay_map_get(m, block);

    if (st == old)
        return;
    m->nr_data += st == OVERLAY_DATA;
    m->nr_data -= old == OVERLAY_DATA;
    *byte = (u8)((*byte & ~(3u << shift)) | ((unsigned int)st << shift));
    m->dirty[block / OVERLAY_PAGE_BLOCKS] = true;
}

u64 overlay_map_run(const struct overlay_map *m, u64 off, u64 len,
                    enum overlay_state *st)
{
    u64 block = off / OVERLAY_BLOCK;
    u64 run = OVERLAY_BLOCK - off % OVERLAY_BLOCK;

    *st = overlay_map_get(m, block);
    while (run < len && overlay_map_get(m, ++block) == *st)
        run += OVERLAY_BLOCK;
    return MIN(run, len);
}

bool overlay_map_dirty(const struct overlay_map *m)
{
    return memchr(m->dirty, 1, m->nr_pages) != NULL;
}

/* ---- writing ------------------------------------------------------------ */

static u64 meta_place(u64 page, u64 count)
{
    return META_HEADER + (2 * page + count % 2) * OVERLAY_PAGE;
}

static int meta_write_page(struct overlay_map *m, u64 i)
{
    u8 *page = meta_page(m, i);
    u64 count = le64_get(page + 8) + 1;
    int r;

    le32_put(page + 4, (u32)i);
    le64_put(page + 8, count);
    le32_put(page, crc32c(page + 4, OVERLAY_PAGE - 4));
    r = io_write_buf(m->fd, page, OVERLAY_PAGE, meta_place(i, count));
    /* The next try goes to the same place, not over the good copy. */
    if (r < 0)
        le64_put(page + 8, count - 1);
    return r;
}

int overlay_map_write(struct overlay_map *m)
{
    for (u64 i = 0; i < m->nr_pages; i++) {
        int r = m->dirty[i] ? meta_write_page(m, i) : 0;

        if (r < 0)
            return r;
        m->dirty[i] = false;
    }
    return 0;
}

static void meta_header(const struct overlay_map *m, u8 *h)
{
    memset(h, 0, META_HEADER);
    memcpy(h, META_MAGIC, sizeof(META_MAGIC));
    le32_put(h + 8, META_VERSION);
    le32_put(h + 12, (u32)OVERLAY_BLOCK);
    le64_put(h + 16, m->length);
    le64_put(h + 24, m->base_size);
    le64_put(h + 32, m->base_identity);
    le64_put(h + 40, m->nr_pages);
    le32_put(h + META_CRC, crc32c(h, META_CRC));
}

int overlay_map_format(struct overlay_map *m)
{
    u8 header[META_HEADER];
    int r = 0;

    meta_header(m, header);
    if (ftruncate(m->fd, (off_t)m->length) < 0)
        r = -errno;
    if (r == 0)
        r = io_sync(m->fd);
    if (r == 0)
        r = io_write_buf(m->fd, header, sizeof(header), 0);
    if (r == 0)
        r = io_sync(m->fd);
    return r < 0 ? fail(r, "overlay %s: create", m->path) : 0;
}

/* ---- reading ------------------------------------------------------------ */

bool overlay_map_blank(const struct overlay_map *m)
{
    u8 header[META_HEADER];
    struct stat st;

    if (fstat(m->fd, &st) < 0)
        return false;
    if (st.st_size == 0)
        return true;
    return (u64)st.st_size == m->length &&
           io_read_buf(m->fd, header, sizeof(header), 0) == 0 &&
           meta_is_zero(header, sizeof(header));
}

static int meta_refuse(const struct overlay_map *m, const char *why)
{
    return fail_rule(-EINVAL, "overlay %s: %s", m->path, why);
}

/* Every byte must be the one we would write; the rest of this function only
 * finds words for what is not. */
static int meta_check_header(const struct overlay_map *m, const u8 *h)
{
    u64 identity = le64_get(h + 32);
    struct overlay_map same = *m;
    u8 want[META_HEADER];

    if (memcmp(h, META_MAGIC, sizeof(META_MAGIC)) != 0)
        return meta_refuse(m, "not a layer of mote's");
    if (le32_get(h + META_CRC) != crc32c(h, META_CRC))
        return meta_refuse(m, "its header is damaged");
    if (le32_get(h + 8) != META_VERSION)
        return meta_refuse(m, "of another version of mote");
    if (le64_get(h + 24) != m->base_size)
        return meta_refuse(m, "made for a base of another size");
    if (identity && m->base_identity && identity != m->base_identity)
        return meta_refuse(m, "its base was changed after the layer was made");
    same.base_identity = identity;
    meta_header(&same, want);
    if (memcmp(h, want, sizeof(want)) != 0)
        return meta_refuse(m, "its header is not valid");
    return 0;
}

/* No state 3, and nothing past the last block. Counts those in the layer; most
 * are not. */
static bool meta_states_valid(struct overlay_map *m, u64 page)
{
    const u8 *states = meta_page(m, page) + OVERLAY_PAGE_HEAD;
    u64 first = page * OVERLAY_PAGE_BLOCKS;

    for (u64 i = 0; i < OVERLAY_PAGE_BLOCKS; i++) {
        enum overlay_state st;

        if (i % 32 == 0 && le64_get(states + i / 4) == 0) {
            i += 31; /* all of the base */
            continue;
        }
        st = overlay_map_get(m, first + i);
        if (st > OVERLAY_ZERO ||
            (first + i >= m->nr_blocks && st != OVERLAY_BASE))
            return false;
        m->nr_data += st == OVERLAY_DATA;
    }
    return true;
}

/* How often this copy was written; 0: never, or it is damaged. */
static u64 meta_copy_count(const u8 *copy, u64 page, unsigned int place,
                           bool *damaged)
{
    u64 count = le64_get(copy + 8);

    if (meta_is_zero(copy, OVERLAY_PAGE))
        return 0;
    if (le32_get(copy) == crc32c(copy + 4, OVERLAY_PAGE - 4) &&
        le32_get(copy + 4) == page && count > 0 && count % 2 == place)
        return count;
    *damaged = true;
    return 0;
}

static int meta_load_page(struct overlay_map *m, u64 page)
{
    u8 copy[2][OVERLAY_PAGE];
    bool damaged[2] = {false};
    u64 count[2];
    int r;

    r = io_read_buf(m->fd, copy, sizeof(copy), meta_place(page, 0));
    if (r < 0)
        return fail(r, "overlay %s: read", m->path);
    for (unsigned int i = 0; i < 2; i++)
        count[i] = meta_copy_count(copy[i], page, i, &damaged[i]);
    /* Place 1 is written first: torn, with place 0 still empty, is no loss. */
    if (damaged[0] && count[1] == 0)
        return meta_refuse(m, "its map is damaged");
    if (damaged[0] || damaged[1])
        log_warn("overlay %s: a write of its map was cut off: using the map "
                 "of the flush before",
                 m->path);
    if (count[0] == 0 && count[1] == 0)
        return 0; /* all of the base, as the map starts */
    memcpy(meta_page(m, page), copy[count[1] > count[0]], OVERLAY_PAGE);
    if (!meta_states_valid(m, page))
        return meta_refuse(m, "its map is not valid");
    return 0;
}

int overlay_map_load(struct overlay_map *m)
{
    u8 header[META_HEADER];
    struct stat st;
    int r;

    if (fstat(m->fd, &st) < 0)
        return fail(-errno, "overlay %s: stat", m->path);
    if ((u64)st.st_size < META_HEADER)
        return meta_refuse(m, "not a layer of mote's");
    r = io_read_buf(m->fd, header, sizeof(header), 0);
    if (r < 0)
        return fail(r, "overlay %s: read", m->path);
    r = meta_check_header(m, header);
    if (r < 0)
        return r;
    if ((u64)st.st_size != m->length)
        return meta_refuse(m, "cut short or grown");
    for (u64 i = 0; i < m->nr_pages && r == 0; i++)
        r = meta_load_page(m, i);
    return r;
}
