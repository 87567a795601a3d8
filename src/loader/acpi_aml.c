/* SPDX-License-Identifier: Apache-2.0 */
/* acpi_aml.c: AML opcodes and resource descriptors into a buffer */
#include "aml.h"

#define AML_NAME       0x08
#define AML_BYTE       0x0a
#define AML_DWORD      0x0c
#define AML_STRING     0x0d
#define AML_SCOPE      0x10
#define AML_BUFFER     0x11
#define AML_PACKAGE    0x12
#define AML_EXT        0x5b
#define AML_EXT_DEVICE 0x82

#define RES_IO        0x47 /* small, 7 bytes */
#define RES_END       0x79 /* small, 1 byte: check sum, 0 is "not checked" */
#define RES_MEMORY32  0x86
#define RES_INTERRUPT 0x89

#define IRQ_CONSUMER 1u
#define IRQ_EDGE     2u /* active high and exclusive are 0 */

void aml_bytes(struct aml *a, const void *data, size_t len)
{
    if (a->len + len <= a->cap)
        memcpy(a->buf + a->len, data, len);
    a->len += len;
}

void aml_byte(struct aml *a, u8 byte)
{
    aml_bytes(a, &byte, 1);
}

static void aml_u16(struct aml *a, u16 v)
{
    aml_bytes(a, &v, sizeof(v));
}

static void aml_u32(struct aml *a, u32 v)
{
    aml_bytes(a, &v, sizeof(v));
}

size_t aml_begin(struct aml *a)
{
    size_t begin = a->len;

    aml_byte(a, 0);
    return begin;
}

/* 20.2.4: the length counts itself; one byte up to 63, else bits 0..3 with
 * the mark of the two-byte form, then bits 4..11. */
void aml_end(struct aml *a, size_t begin)
{
    size_t len = a->len - begin;

    if (len < 64) {
        if (a->len <= a->cap)
            a->buf[begin] = (u8)len;
        return;
    }
    aml_byte(a, 0);
    len++;
    assert(len < 1u << 12);
    if (a->len > a->cap)
        return;
    memmove(a->buf + begin + 2, a->buf + begin + 1, len - 2);
    a->buf[begin] = (u8)(0x40 | (len & 0xf));
    a->buf[begin + 1] = (u8)(len >> 4);
}

size_t aml_scope(struct aml *a, const char *path)
{
    size_t begin;

    aml_byte(a, AML_SCOPE);
    begin = aml_begin(a);
    aml_bytes(a, path, strlen(path));
    return begin;
}

size_t aml_device(struct aml *a, const char *name)
{
    size_t begin;

    aml_byte(a, AML_EXT);
    aml_byte(a, AML_EXT_DEVICE);
    begin = aml_begin(a);
    aml_bytes(a, name, 4);
    return begin;
}

static void aml_name(struct aml *a, const char *name)
{
    aml_byte(a, AML_NAME);
    aml_bytes(a, name, 4);
}

/* 0 and 1 have opcodes of their own, which are these numbers. */
static void aml_int(struct aml *a, u32 value)
{
    if (value <= 1) {
        aml_byte(a, (u8)value);
    } else if (value <= UINT8_MAX) {
        aml_byte(a, AML_BYTE);
        aml_byte(a, (u8)value);
    } else {
        aml_byte(a, AML_DWORD);
        aml_u32(a, value);
    }
}

void aml_name_int(struct aml *a, const char *name, u32 value)
{
    aml_name(a, name);
    aml_int(a, value);
}

void aml_name_string(struct aml *a, const char *name, const char *text)
{
    aml_name(a, name);
    aml_byte(a, AML_STRING);
    aml_bytes(a, text, strlen(text) + 1);
}

static u32 aml_hex(char c)
{
    return (u32)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* "PNP0501": three letters of five bits, four hex digits; big-endian. */
void aml_name_eisaid(struct aml *a, const char *name, const char *id)
{
    u32 v = 0;

    for (int i = 0; i < 3; i++)
        v = v << 5 | (u32)(id[i] - 'A' + 1);
    for (int i = 3; i < 7; i++)
        v = v << 4 | aml_hex(id[i]);
    aml_name(a, name);
    aml_byte(a, AML_DWORD);
    aml_u32(a, __builtin_bswap32(v));
}

void aml_name_package(struct aml *a, const char *name, const u8 *value, u8 nr)
{
    size_t begin;

    aml_name(a, name);
    aml_byte(a, AML_PACKAGE);
    begin = aml_begin(a);
    aml_byte(a, nr);
    for (unsigned int i = 0; i < nr; i++)
        aml_int(a, value[i]);
    aml_end(a, begin);
}

struct aml_crs aml_crs_begin(struct aml *a)
{
    struct aml_crs crs;

    aml_name(a, "_CRS");
    aml_byte(a, AML_BUFFER);
    crs.package = aml_begin(a);
    aml_byte(a, AML_BYTE); /* its size: a device's resources are few */
    aml_byte(a, 0);
    crs.start = a->len;
    return crs;
}

void aml_crs_end(struct aml *a, const struct aml_crs *crs)
{
    aml_byte(a, RES_END);
    aml_byte(a, 0);
    assert(a->len - crs->start <= UINT8_MAX);
    if (a->len <= a->cap)
        a->buf[crs->start - 1] = (u8)(a->len - crs->start);
    aml_end(a, crs->package);
}

void aml_crs_io(struct aml *a, u16 port, u8 len)
{
    aml_byte(a, RES_IO);
    aml_byte(a, 1); /* decodes 16 bits */
    aml_u16(a, port);
    aml_u16(a, port);
    aml_byte(a, 1); /* alignment */
    aml_byte(a, len);
}

void aml_crs_memory(struct aml *a, u32 base, u32 len)
{
    aml_byte(a, RES_MEMORY32);
    aml_u16(a, 9);
    aml_byte(a, 1); /* read-write */
    aml_u32(a, base);
    aml_u32(a, len);
}

void aml_crs_interrupt(struct aml *a, u32 gsi)
{
    aml_byte(a, RES_INTERRUPT);
    aml_u16(a, 6);
    aml_byte(a, IRQ_CONSUMER | IRQ_EDGE);
    aml_byte(a, 1); /* one number */
    aml_u32(a, gsi);
}
