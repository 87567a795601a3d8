/* SPDX-License-Identifier: Apache-2.0 */
/* forms.c: texts of the operator's that have a form of their own */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

#include "mote/config.h"

#define FORM_ID                                                                \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

static bool form_is_of(const char *text, const char *chars)
{
    size_t n = strspn(text, chars);

    return n >= 1 && n <= 64 && text[n] == '\0';
}

const char *config_form_id(const char *text)
{
    if (form_is_of(text, FORM_ID))
        return NULL;
    return "is not 1 to 64 letters, digits, - and _";
}

const char *config_form_port(const char *text)
{
    if (form_is_of(text, FORM_ID "."))
        return NULL;
    return "is not 1 to 64 letters, digits, -, _ and .";
}

static bool form_is_mac(const char *text)
{
    for (size_t i = 0; i < 17; i++)
        if (i % 3 == 2 ? text[i] != ':' : !isxdigit((unsigned char)text[i]))
            return false;
    return text[17] == '\0';
}

void config_parse_mac(const char *text, u8 mac[static 6])
{
    unsigned int b[6] = {0};

    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4],
           &b[5]);
    for (size_t i = 0; i < 6; i++)
        mac[i] = (u8)b[i];
}

const char *config_form_mac(const char *text)
{
    static const u8 none[6];
    u8 mac[6];

    if (!form_is_mac(text))
        return "is not six hex pairs, such as 06:00:ac:10:00:02";
    config_parse_mac(text, mac);
    if (mac[0] & 1)
        return "is a group address; the first byte of a station's is even";
    return memcmp(mac, none, 6) == 0 ? "is no station's address" : NULL;
}

/* A port number at *text, which is moved behind it. */
static bool form_port(const char **text)
{
    unsigned int port = 0;
    size_t digits = strspn(*text, "0123456789");

    if (digits < 1 || digits > 5)
        return false;
    for (size_t i = 0; i < digits; i++)
        port = port * 10 + (unsigned int)((*text)[i] - '0');
    *text += digits;
    return port >= 1 && port <= 65535;
}

const char *config_form_forward(const char *text)
{
    const char *p = text + 4;

    if ((strncmp(text, "tcp:", 4) == 0 || strncmp(text, "udp:", 4) == 0) &&
        form_port(&p) && *p++ == ':' && form_port(&p) && *p == '\0')
        return NULL;
    return "is not tcp:HOST:GUEST or udp:HOST:GUEST with ports 1..65535";
}

const char *config_form_address(const char *text)
{
    struct in6_addr addr;

    if (inet_pton(AF_INET, text, &addr) == 1 ||
        inet_pton(AF_INET6, text, &addr) == 1)
        return NULL;
    return "is not an IP address";
}

/* Without the first and the last 256, which are reserved (RFC 3927, 2.1). */
const char *config_form_link_local(const char *text)
{
    struct in_addr addr;
    u32 host;

    if (inet_pton(AF_INET, text, &addr) != 1)
        return "is not an IPv4 address";
    host = ntohl(addr.s_addr);
    if (host >= 0xa9fe0100 && host <= 0xa9fefeff)
        return NULL;
    return "is not link-local: 169.254.1.0 to 169.254.254.255";
}

/* It goes on the kernel's command line: a UUID, or a disk signature and a
 * number (0002dd75-01), nothing that could become another parameter. */
const char *config_form_partuuid(const char *text)
{
    size_t n = strspn(text, "0123456789abcdefABCDEF-");

    if (n >= 1 && n <= 36 && text[n] == '\0')
        return NULL;
    return "is not a partition's UUID: hex digits and -";
}

const char *config_form_netns(const char *text)
{
    if (strcmp(text, "new") == 0 || strcmp(text, "none") == 0 ||
        strchr(text, '/'))
        return NULL;
    return "is not \"new\", \"none\" or a path, such as /run/netns/NAME";
}

/* Ceph allows nearly all; these would not come back as they went in: '/' and
 * '@' part the names of --rbd. */
const char *config_form_image(const char *text)
{
    size_t n = strlen(text);

    if (n < 1 || n > 200)
        return "is not a name of 1 to 200 characters";
    for (; *text; text++)
        if (*text <= ' ' || *text > '~' || *text == '/' || *text == '@')
            return "is not a name: no spaces, / or @";
    return NULL;
}

const char *config_form_mon(const char *text)
{
    static const char mon[] = "0123456789abcdefABCDEF.:[]/v,";
    size_t n = strspn(text, mon);

    if (n >= 3 && n <= 128 && text[n] == '\0' && strpbrk(text, ".:"))
        return NULL;
    return "is not a monitor's numeric address, such as 10.1.0.11 or "
           "10.1.0.11:3300; names cannot be looked up";
}

const char *config_form_uuid(const char *text)
{
    for (size_t i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23
                ? text[i] != '-'
                : !isxdigit((unsigned char)text[i]))
            return "is not a UUID";
    return text[36] == '\0' ? NULL : "is not a UUID";
}

/* A number below -1, which means "as it is" to the kernel, at *text, which is
 * moved behind it. */
static bool form_id_number(const char **text)
{
    size_t digits = strspn(*text, "0123456789");
    u64 n = 0;

    if (digits < 1 || digits > 10)
        return false;
    for (size_t i = 0; i < digits; i++)
        n = n * 10 + (u64)((*text)[i] - '0');
    *text += digits;
    return n < UINT32_MAX;
}

/* Or a name; what is all digits is a number. */
static bool form_id(const char **text)
{
    size_t n = strspn(*text, FORM_ID "_.");

    if (strspn(*text, "0123456789") == n)
        return form_id_number(text);
    *text += n;
    return n <= 64;
}

const char *config_form_user(const char *text)
{
    if (form_id(&text) &&
        (*text == '\0' || (*text++ == ':' && form_id(&text) && *text == '\0')))
        return NULL;
    return "is not USER or USER:GROUP, each a name or a number";
}

const char *config_form_hostname(const char *text)
{
    size_t n = strspn(text, FORM_ID ".");

    if (n >= 1 && n <= 63 && text[n] == '\0')
        return NULL;
    return "is not 1 to 63 letters, digits, - and .";
}

const char *config_form_env(const char *text)
{
    return *text && !strchr(text, '=') ? NULL : "is no name of a variable";
}

const char *config_form_absolute(const char *text)
{
    return *text == '/' ? NULL : "is not a path from the root on: /...";
}
