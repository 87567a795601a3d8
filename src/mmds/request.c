/* SPDX-License-Identifier: Apache-2.0 */
/* request.c: the head of an HTTP/1.x request (RFC 9112), from a guest */
#include <strings.h>

#include "request.h"

#define BODY_MAX 1048576u

#define STATUS_BAD     400u
#define STATUS_LARGE   413u
#define STATUS_NOT_YET 501u
#define STATUS_VERSION 505u

bool text_is(const struct text *t, const char *word)
{
    return t->at && strlen(word) == t->len &&
           strncasecmp(t->at, word, t->len) == 0;
}

struct text text_until(struct text *t, char c)
{
    struct text head = *t;
    const char *end = memchr(t->at, c, t->len);

    if (end)
        head.len = (u32)(end - t->at);
    t->at += head.len + (end != NULL);
    t->len -= head.len + (end != NULL);
    return head;
}

struct text text_trim(struct text t)
{
    while (t.len > 0 && (*t.at == ' ' || *t.at == '\t')) {
        t.at++;
        t.len--;
    }
    while (t.len > 0 && (t.at[t.len - 1] == ' ' || t.at[t.len - 1] == '\t'))
        t.len--;
    return t;
}

/* "1048576" at most; anything else is not a length. */
static bool text_number(const struct text *t, u32 *value)
{
    u32 n = 0;

    if (t->len == 0 || t->len > 9)
        return false;
    for (u32 i = 0; i < t->len; i++) {
        if (t->at[i] < '0' || t->at[i] > '9')
            return false;
        n = n * 10 + (u32)(t->at[i] - '0');
    }
    *value = n;
    return true;
}

/* ---- header fields ------------------------------------------------------ */

typedef unsigned int field_fn(struct request *r, const struct text *name,
                              const struct text *value, const char **why);

static unsigned int field_accept(struct request *r, const struct text *name,
                                 const struct text *value, const char **why)
{
    r->accept = *value;
    return 0;
}

static unsigned int field_connection(struct request *r, const struct text *name,
                                     const struct text *value, const char **why)
{
    struct text rest = *value;

    while (rest.len > 0) {
        struct text word = text_trim(text_until(&rest, ','));

        r->close |= text_is(&word, "close");
    }
    return 0;
}

/* Two of them, or one that is none, and nobody knows where the next request
 * begins. */
static unsigned int field_length(struct request *r, const struct text *name,
                                 const struct text *value, const char **why)
{
    *why = "Content-Length is not one number.";
    if (r->has_length || !text_number(value, &r->body))
        return STATUS_BAD;
    r->has_length = true;
    *why = "The body is too large.";
    return r->body > BODY_MAX ? STATUS_LARGE : 0;
}

static unsigned int field_encoding(struct request *r, const struct text *name,
                                   const struct text *value, const char **why)
{
    *why = "Transfer-Encoding is not supported.";
    return STATUS_NOT_YET;
}

static unsigned int field_forwarded(struct request *r, const struct text *name,
                                    const struct text *value, const char **why)
{
    r->forwarded = true;
    return 0;
}

static unsigned int field_token(struct request *r, const struct text *name,
                                const struct text *value, const char **why)
{
    r->token = *value;
    return 0;
}

static unsigned int field_ttl(struct request *r, const struct text *name,
                              const struct text *value, const char **why)
{
    r->ttl = *value;
    r->ttl_name = *name;
    return 0;
}

static const struct field {
    const char *name;
    field_fn *fn;
} fields[] = {
    {"accept", field_accept},
    {"connection", field_connection},
    {"content-length", field_length},
    {"transfer-encoding", field_encoding},
    {"x-forwarded-for", field_forwarded},
    {"x-metadata-token", field_token},
    {"x-aws-ec2-metadata-token", field_token},
    {"x-metadata-token-ttl-seconds", field_ttl},
    {"x-aws-ec2-metadata-token-ttl-seconds", field_ttl},
};

/* A line that goes on in the next one, or has blanks in its name, is read in
 * different ways by different programs: none here (RFC 9112, 5.1, 5.2). */
static unsigned int request_field(struct request *r, struct text line,
                                  const char **why)
{
    struct text name = line;
    struct text value;

    *why = "A header field has no name.";
    if (!memchr(line.at, ':', line.len))
        return STATUS_BAD;
    name = text_until(&line, ':');
    value = text_trim(line);
    if (name.len == 0 || memchr(name.at, ' ', name.len) ||
        memchr(name.at, '\t', name.len))
        return STATUS_BAD;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (text_is(&name, fields[i].name))
            return fields[i].fn(r, &name, &value, why);
    return 0;
}

/* ---- the first line ----------------------------------------------------- */

static enum method request_method(const struct text *t)
{
    if (t->len == 3 && memcmp(t->at, "GET", 3) == 0)
        return METHOD_GET;
    if (t->len == 3 && memcmp(t->at, "PUT", 3) == 0)
        return METHOD_PUT;
    if (t->len == 4 && memcmp(t->at, "HEAD", 4) == 0)
        return METHOD_HEAD;
    return METHOD_OTHER;
}

/* Of "/path" or "http://host/path". */
static struct text request_path(struct text target)
{
    static const char scheme[] = "http://";
    const size_t len = sizeof(scheme) - 1;

    if (target.len < len || strncasecmp(target.at, scheme, len) != 0)
        return target;
    target.at += len;
    target.len -= (u32)len;
    while (target.len > 0 && *target.at != '/') {
        target.at++;
        target.len--;
    }
    return target;
}

static unsigned int request_line(struct request *r, struct text line,
                                 const char **why)
{
    struct text method = text_until(&line, ' ');
    struct text target = text_until(&line, ' ');

    *why = "The first line is not that of a request.";
    if (method.len == 0 || target.len == 0 || line.len != 8 ||
        memcmp(line.at, "HTTP/", 5) != 0)
        return STATUS_BAD;
    *why = "Only HTTP/1.0 and HTTP/1.1 are spoken here.";
    if (memcmp(line.at, "HTTP/1.", 7) != 0 ||
        (line.at[7] != '0' && line.at[7] != '1'))
        return STATUS_VERSION;
    r->close = line.at[7] == '0';
    r->method = request_method(&method);
    r->path = request_path(target);
    *why = "Invalid URI.";
    return r->path.len > 0 && *r->path.at == '/' ? 0 : STATUS_BAD;
}

/* Every line ends with CR LF, and there is no other control character. */
static bool request_clean(const struct text *head)
{
    for (u32 i = 0; i < head->len; i++) {
        u8 c = (u8)head->at[i];

        if (c == '\r' && head->at[i + 1] != '\n')
            return false;
        if (c == '\n' && (i == 0 || head->at[i - 1] != '\r'))
            return false;
        if ((c < ' ' && c != '\r' && c != '\n' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

unsigned int request_parse(struct request *r, const char *in, u32 len,
                           u32 *used, const char **why)
{
    const char *end = memmem(in, len, "\r\n\r\n", 4);
    struct text head = {in, 0};
    unsigned int status = 0;

    *r = (struct request){.method = METHOD_OTHER};
    *used = 0;
    if (!end)
        return 0;
    head.len = (u32)(end - in) + 2; /* whole lines */
    *used = head.len + 2;
    *why = "A control character.";
    if (!request_clean(&head))
        return STATUS_BAD;
    for (bool first = true; head.len > 0 && status == 0; first = false) {
        struct text line = text_until(&head, '\n');

        line.len--; /* CR */
        status =
            first ? request_line(r, line, why) : request_field(r, line, why);
    }
    return status;
}
