/* SPDX-License-Identifier: Apache-2.0 */
/* test_guest_dhcp.c: packets of the guest's DHCP client, and what it believes
 */
#include <arpa/inet.h>

#include "guest/dhcp.h"

#define OPTIONS 268u /* where they begin: IPv4, UDP, BOOTP and its cookie */

static const struct dhcp_talk talk = {.xid = 0x01020304,
                                      .mac = {6, 0, 0xac, 0x10, 0, 2}};

struct reply {
    u8 bytes[1024];
    size_t len;
};

static u32 ip(const char *text)
{
    return inet_addr(text);
}

static void put16(struct reply *p, size_t at, size_t v)
{
    p->bytes[at] = (u8)(v >> 8);
    p->bytes[at + 1] = (u8)v;
}

/* From 10.0.0.1: 10.0.0.9 is yours. */
static struct reply reply_with(const void *options, size_t len)
{
    static const u8 cookie[] = {0x63, 0x82, 0x53, 0x63};
    struct reply p = {.len = OPTIONS + len};
    u32 yours = ip("10.0.0.9");

    p.bytes[0] = 0x45;
    p.bytes[9] = 17;
    put16(&p, 2, p.len);
    put16(&p, 20, 67);
    put16(&p, 22, 68);
    put16(&p, 24, p.len - 20);
    p.bytes[28] = 2;
    p.bytes[29] = 1;
    p.bytes[30] = 6;
    memcpy(p.bytes + 32, "\1\2\3\4", 4);
    memcpy(p.bytes + 44, &yours, 4);
    memcpy(p.bytes + 56, talk.mac, 6);
    memcpy(p.bytes + 264, cookie, 4);
    memcpy(p.bytes + OPTIONS, options, len);
    return p;
}

/* In memory that ends where the packet does. */
static int parse(const struct reply *p, struct dhcp_lease *lease)
{
    u8 *exact = malloc(p->len ? p->len : 1);
    int r;

    ck_assert_ptr_nonnull(exact);
    memcpy(exact, p->bytes, p->len);
    r = dhcp_parse(exact, p->len, &talk, lease);
    free(exact);
    return r;
}

START_TEST(test_ack)
{
    static const u8 options[] =
        "\65\1\5\0\0\1\4\377\377\377\0\3\4\12\0\0\1\6\10\12\0\0\2\12\0\0\3"
        "\66\4\12\0\0\1\63\4\0\0\16\20\32\2\5\334\17\7lan.net\377\65\1\6";
    struct reply p = reply_with(options, sizeof(options));
    struct dhcp_lease l;

    ck_assert_int_eq(parse(&p, &l), DHCP_ACK);
    ck_assert_uint_eq(l.address, ip("10.0.0.9"));
    ck_assert_uint_eq(l.mask, ip("255.255.255.0"));
    ck_assert_uint_eq(l.router, ip("10.0.0.1"));
    ck_assert_uint_eq(l.server, ip("10.0.0.1"));
    ck_assert_uint_eq(l.dns[0], ip("10.0.0.2"));
    ck_assert_uint_eq(l.dns[1], ip("10.0.0.3"));
    ck_assert_uint_eq(l.dns[2], 0);
    ck_assert_uint_eq(l.seconds, 3600);
    ck_assert_uint_eq(l.mtu, 1500);
    ck_assert_str_eq(l.domain, "lan.net");
}
END_TEST

#define ROW(name, type, options)                                               \
    {                                                                          \
        name, type, options, sizeof(options) - 1                               \
    }

static const struct option_case {
    const char *name;
    int type;
    const char *options;
    size_t len;
} odd[] = {
    ROW("no options", 0, ""),
    ROW("no type", 0, "\1\4\377\0\0\0\377"),
    ROW("an offer, cut short behind it", DHCP_OFFER, "\65\1\2"),
    ROW("a refusal", DHCP_NAK, "\65\1\6\377"),
    ROW("a discovery, which is ours to send", 0, "\65\1\1\377"),
    ROW("a type of two bytes", 0, "\65\2\2\2\377"),
    ROW("an option without its length", DHCP_OFFER, "\65\1\2\1"),
    ROW("an option beyond the end", DHCP_OFFER, "\65\1\2\1\5\377\0\0\0"),
    ROW("a type behind one beyond the end", 0, "\1\377\65\1\2\377"),
    ROW("a type behind the end", 0, "\377\65\1\2\377"),
    ROW("a mask with a hole", DHCP_OFFER, "\65\1\2\1\4\377\0\377\0\377"),
    ROW("a mask of nothing", DHCP_OFFER, "\65\1\2\1\4\0\0\0\0\377"),
    ROW("half a mask", DHCP_OFFER, "\65\1\2\1\2\377\377\377"),
    ROW("a router that is everybody", DHCP_OFFER,
        "\65\1\2\3\4\377\377\377\377\377"),
    ROW("a router of this machine", DHCP_OFFER, "\65\1\2\3\4\177\0\0\1\377"),
    ROW("name servers that are none", DHCP_OFFER,
        "\65\1\2\6\13\0\0\0\0\340\0\0\1\12\0\0\377"),
    ROW("a tiny MTU", DHCP_OFFER, "\65\1\2\32\2\2\77\377"),
    ROW("a domain of two lines", DHCP_OFFER, "\65\1\2\17\5a\nb c\377"),
};

START_TEST(test_odd)
{
    const struct option_case *t = &odd[_i];
    struct reply p = reply_with(t->options, t->len);
    struct dhcp_lease l;

    ck_assert_msg(parse(&p, &l) == t->type, "%s", t->name);
    if (t->type != DHCP_OFFER)
        return;
    ck_assert_msg(l.mask == ip("255.0.0.0"), "%s: mask", t->name);
    ck_assert_msg(!l.router && !l.dns[0] && !l.mtu && !l.domain[0], "%s",
                  t->name);
}
END_TEST

/* One byte of a good offer is another: it is nobody's. */
static const struct {
    size_t at;
    u8 value;
} foreign[] = {
    {0, 0x65},  {0, 0x44}, {0, 0x4f}, {2, 9},   {3, 20}, {6, 0x20},
    {7, 1},     {9, 6},    {21, 68},  {23, 67}, {24, 9}, {25, 7},
    {28, 1},    {29, 6},   {30, 16},  {32, 9},  {44, 0}, {44, 127},
    {44, 0xe0}, {56, 7},   {61, 3},   {264, 0},
};

START_TEST(test_foreign)
{
    struct reply p = reply_with("\65\1\2\377", 4);
    struct dhcp_lease l;

    ck_assert_int_eq(parse(&p, &l), DHCP_OFFER);
    p.bytes[foreign[_i].at] = foreign[_i].value;
    ck_assert_msg(parse(&p, &l) == 0, "byte %zu", foreign[_i].at);
}
END_TEST

START_TEST(test_short)
{
    struct reply p = reply_with("\65\1\2\377", 4);
    struct dhcp_lease l;

    for (p.len = 0; p.len < OPTIONS + 4; p.len++)
        ck_assert_int_eq(parse(&p, &l), 0);
}
END_TEST

/* RFC 1071: the sum over a header with its checksum is all ones. */
static u32 sum_of(const u8 *header)
{
    u32 sum = 0;

    for (size_t i = 0; i < 20; i += 2)
        sum += (u32)(header[i] << 8 | header[i + 1]);
    return (sum & 0xffff) + (sum >> 16);
}

START_TEST(test_compose)
{
    const struct dhcp_lease lease = {.address = ip("10.0.0.9"),
                                     .server = ip("10.0.0.1")};
    static const u8 asked[] = {53, 1,  3, 50, 4, 10, 0, 0,
                               9,  54, 4, 10, 0, 0,  1};
    u8 p[DHCP_PACKET_MAX];
    size_t len = dhcp_compose(p, DHCP_REQUEST, &talk, &lease, false);

    ck_assert_uint_eq(len, 328);
    ck_assert_uint_eq(p[2] << 8 | p[3], 328);
    ck_assert_uint_eq(p[24] << 8 | p[25], 308);
    ck_assert_uint_eq(sum_of(p), 0xffff);
    ck_assert_mem_eq(p + OPTIONS, asked, sizeof(asked));
    ck_assert_mem_eq(p + 32, "\1\2\3\4", 4);
    ck_assert_mem_eq(p + 56, talk.mac, 6);
    ck_assert_uint_eq(le32_get(p + 12), 0);
}
END_TEST

/* RFC 2131, table 5: RENEWING has its address in the header only. */
START_TEST(test_renew)
{
    const struct dhcp_lease lease = {.address = ip("10.0.0.9"),
                                     .server = ip("10.0.0.1")};
    u8 p[DHCP_PACKET_MAX];

    dhcp_compose(p, DHCP_REQUEST, &talk, &lease, true);
    ck_assert_uint_eq(le32_get(p + 12), lease.address);
    ck_assert_uint_eq(le32_get(p + 40), lease.address);
    ck_assert_uint_eq(sum_of(p), 0xffff);
    ck_assert_uint_eq(p[OPTIONS + 3], 55);
}
END_TEST

Suite *suite_guest_dhcp(void);
Suite *suite_guest_dhcp(void)
{
    Suite *s = suite_create("guest_dhcp");
    TCase *tc = tcase_create("guest_dhcp");

    tcase_add_test(tc, test_ack);
    tcase_add_loop_test(tc, test_odd, 0, ARRAY_SIZE(odd));
    tcase_add_loop_test(tc, test_foreign, 0, ARRAY_SIZE(foreign));
    tcase_add_test(tc, test_short);
    tcase_add_test(tc, test_compose);
    tcase_add_test(tc, test_renew);
    suite_add_tcase(s, tc);
    return s;
}
