/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bzimage.c: the setup header of a bzImage. Field offsets and the protocol
 * version that brought each: Documentation/arch/x86/boot.rst of Linux.
 */
#include "mote/log.h"

#include "load.h"

#define HDR_SETUP_SECTS    0x1f1
#define HDR_BOOT_FLAG      0x1fe
#define HDR_JUMP           0x200
#define HDR_MAGIC          0x202
#define HDR_VERSION        0x206
#define HDR_KERNEL_VERSION 0x20e
#define HDR_LOADFLAGS      0x211
#define HDR_INITRD_MAX     0x22c
#define HDR_ALIGNMENT      0x230
#define HDR_XLOADFLAGS     0x236
#define HDR_CMDLINE_SIZE   0x238
#define HDR_PAYLOAD_OFFSET 0x248
#define HDR_PAYLOAD_LENGTH 0x24c
#define HDR_PREF_ADDRESS   0x258
#define HDR_INIT_SIZE      0x260
#define HDR_END_2_08       0x250
#define HDR_END_2_10       0x264

#define BOOT_FLAG     0xaa55
#define SECTOR        512u
#define LOADED_HIGH   1u
#define XLF_KERNEL_64 1u
#define VMLINUX_HDR   0x20f /* the protocol a bare vmlinux is taken to speak */

#define CMDLINE_MAX (LOADER_CMDLINE_MAX - 1)

bool bzimage_detect(const u8 *head, u64 len)
{
    return len >= HDR_VERSION && le16_get(head + HDR_BOOT_FLAG) == BOOT_FLAG &&
           !memcmp(head + HDR_MAGIC, "HdrS", 4);
}

/* Is it for us: new enough, loaded high, 64 bit? */
static int bzimage_check(const struct source *src, const u8 *head)
{
    u16 version = le16_get(head + HDR_VERSION);

    if (version < 0x208)
        return source_bad(src,
                          "boot protocol %u.%02u (a kernel before "
                          "2.6.26); 2.08 or newer is needed",
                          version >> 8, version & 0xffu);
    if (!(head[HDR_LOADFLAGS] & LOADED_HIGH))
        return source_bad(src, "is a zImage; a bzImage is needed");
    if (version >= 0x20c && !(head[HDR_XLOADFLAGS] & XLF_KERNEL_64))
        return source_bad(src, "is a 32-bit bzImage; a 64-bit kernel is "
                               "needed");
    return 0;
}

/* Where the compressed kernel is in the file. */
static int bzimage_payload(const struct source *src, const u8 *head,
                           struct bzimage *bz)
{
    u64 sects = head[HDR_SETUP_SECTS] ? head[HDR_SETUP_SECTS] : 4;
    u64 version = le16_get(head + HDR_KERNEL_VERSION);
    u64 end;

    bz->payload = (sects + 1) * SECTOR + le32_get(head + HDR_PAYLOAD_OFFSET);
    bz->payload_len = le32_get(head + HDR_PAYLOAD_LENGTH);
    if (bz->payload_len == 0)
        return source_bad(src, "its setup header names no compressed kernel");
    end = bz->payload + bz->payload_len;
    if (end > src->end)
        return source_bad(src,
                          "is truncated: the compressed kernel ends at "
                          "byte %llu, the file at %llu",
                          (unsigned long long)end,
                          (unsigned long long)src->end);
    if (version != 0 && version + SECTOR < (sects + 1) * SECTOR)
        bz->version_offset = version + SECTOR;
    return 0;
}

int bzimage_parse(const struct source *src, const u8 *head, u64 len,
                  struct bzimage *bz, struct kernel *k)
{
    u64 end = HDR_MAGIC;
    int r;

    *bz = (struct bzimage){0};
    if (len > HDR_JUMP + 1)
        end += head[HDR_JUMP + 1];
    if (end > len || end < HDR_END_2_08)
        return source_bad(src,
                          "its setup header ends at byte %#llx: too "
                          "short, or truncated",
                          (unsigned long long)end);
    r = bzimage_check(src, head);
    if (r == 0)
        r = bzimage_payload(src, head, bz);
    if (r < 0)
        return r;
    if (le16_get(head + HDR_VERSION) >= 0x20a && end >= HDR_END_2_10) {
        bz->pref_address = le64_get(head + HDR_PREF_ADDRESS);
        bz->init_size = le32_get(head + HDR_INIT_SIZE);
    }
    memset(k->setup, 0, sizeof(k->setup));
    memcpy(k->setup, head + SETUP_BASE, end - SETUP_BASE);
    k->initrd_max = le32_get(head + HDR_INITRD_MAX);
    k->cmdline_max = le32_get(head + HDR_CMDLINE_SIZE);
    return 0;
}

void bzimage_default(struct kernel *k)
{
    u8 *hdr = k->setup;

    memset(hdr, 0, sizeof(k->setup));
    le16_put(hdr + HDR_BOOT_FLAG - SETUP_BASE, BOOT_FLAG);
    memcpy(hdr + HDR_MAGIC - SETUP_BASE, "HdrS", 4);
    le16_put(hdr + HDR_VERSION - SETUP_BASE, VMLINUX_HDR);
    hdr[HDR_LOADFLAGS - SETUP_BASE] = LOADED_HIGH;
    le32_put(hdr + HDR_INITRD_MAX - SETUP_BASE, (u32)INITRD_MAX);
    le32_put(hdr + HDR_ALIGNMENT - SETUP_BASE, 0x200000);
    le16_put(hdr + HDR_XLOADFLAGS - SETUP_BASE, XLF_KERNEL_64);
    le32_put(hdr + HDR_CMDLINE_SIZE - SETUP_BASE, CMDLINE_MAX);
    k->initrd_max = INITRD_MAX;
    k->cmdline_max = CMDLINE_MAX;
}
