/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c: from a request to its answer: Firecracker's statuses and texts */
#include <stdarg.h>
#include <stdio.h>

#include "request.h"
#include "service.h"

#define PATH_SHOWN 128 /* bytes of a path in an error */
#define TOKEN_PATH "/latest/api/token"
#define NS_PER_S   1000000000ull

static const char type_text[] = "text/plain";
static const char type_json[] = "application/json";

static const char *status_text(unsigned int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    default:
        return "HTTP Version Not Supported";
    }
}

static PRINTF(2, 3) void answer_add(struct mmds_answer *a, const char *fmt, ...)
{
    u32 room = (u32)sizeof(a->head) - a->head_len;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(a->head + a->head_len, room, fmt, ap);
    va_end(ap);
    a->head_len += MIN((u32)MAX(n, 0), room - 1);
}

/* The status line and the fields that every answer has; others may follow. */
static void answer_begin(struct mmds_answer *a, unsigned int status,
                         const char *type, u32 len)
{
    a->head_len = 0;
    a->body = NULL;
    a->body_len = 0;
    answer_add(a,
               "HTTP/1.1 %u %s\r\nServer: mote\r\nConnection: %s\r\n"
               "Content-Type: %s\r\nContent-Length: %u\r\n",
               status, status_text(status), a->close ? "close" : "keep-alive",
               type, len);
}

/* A status with a line of text. */
static void answer_text(struct mmds_answer *a, unsigned int status,
                        const char *text)
{
    answer_begin(a, status, type_text, (u32)strlen(text));
    answer_add(a, "\r\n%s", text);
}

/* What cannot be read has no end that one could go on from. */
static void answer_malformed(struct mmds_answer *a, unsigned int status,
                             const char *why)
{
    a->close = true;
    answer_text(a, status, why);
}

/* HEAD is answered without a body (RFC 9110, 9.3.2). */
static void answer_method(struct mmds_answer *a, enum method method)
{
    static const char text[] = "Not allowed HTTP method.";

    answer_begin(a, 405, type_text, sizeof(text) - 1);
    answer_add(a, "Allow: GET, PUT\r\n\r\n%s",
               method == METHOD_HEAD ? "" : text);
}

static void answer_not_found(struct mmds_answer *a, const struct request *r)
{
    char text[PATH_SHOWN + 32];

    snprintf(text, sizeof(text), "Resource not found: %.*s.",
             (int)MIN(r->path.len, (u32)PATH_SHOWN), r->path.at);
    answer_text(a, 404, text);
}

/* ---- GET ---------------------------------------------------------------- */

/* Of the types that are named the first of the two that there are; text, if it
 * is neither of them. What is behind a ; does not change it. */
static bool request_wants_json(const struct request *r)
{
    struct text accept = r->accept;

    while (accept.len > 0) {
        struct text one = text_until(&accept, ',');
        struct text type = text_trim(text_until(&one, ';'));

        if (text_is(&type, type_json) || text_is(&type, type_text))
            return text_is(&type, type_json);
    }
    return false;
}

static void serve_value(const struct mmds *m, const struct request *r,
                        struct mmds_answer *a)
{
    const struct mmds_node *n =
        mmds_store_find(&m->store, r->path.at, r->path.len);
    bool json = !m->text_only && request_wants_json(r);
    struct mmds_span span;

    if (!n) {
        answer_not_found(a, r);
    } else if (!json && !n->has_text) {
        answer_text(a, 501,
                    "Cannot retrieve value. The value has an unsupported "
                    "type.");
    } else {
        span = json ? n->json : n->text;
        answer_begin(a, 200, json ? type_json : type_text, span.len);
        answer_add(a, "\r\n");
        a->body = (json ? m->store.json : m->store.text) + span.at;
        a->body_len = span.len;
    }
}

static void serve_get(const struct mmds *m, const struct request *r, u64 now_ns,
                      struct mmds_answer *a)
{
    bool asked = r->token.at;
    bool valid =
        asked && mmds_token_valid(&m->key, now_ns, r->token.at, r->token.len);

    if (!valid)
        mmds_add(m, asked ? MMDS_BAD_TOKEN : MMDS_NO_TOKEN, 1);
    if (valid || m->version == MMDS_V1)
        serve_value(m, r, a);
    else if (asked)
        answer_text(a, 401, "MMDS token not valid.");
    else
        answer_text(a, 401,
                    "No MMDS token provided. Use `X-metadata-token` or "
                    "`X-aws-ec2-metadata-token` header to specify the session "
                    "token.");
}

/* ---- PUT: a token ------------------------------------------------------- */

/* The same path, but for slashes. */
static bool request_is_for(const struct request *r, const char *path)
{
    const char *at = r->path.at, *end = at + r->path.len;

    while (at < end) {
        if (*at == '/' && (at + 1 == end || at[1] == '/')) {
            at++; /* one of several, or the last */
            continue;
        }
        if (*at != *path)
            return false;
        at++;
        path++;
    }
    return *path == '\0';
}

static bool request_ttl(const struct request *r, u32 *seconds)
{
    u32 n = 0;

    for (u32 i = 0; i < r->ttl.len; i++) {
        if (r->ttl.at[i] < '0' || r->ttl.at[i] > '9' || n > MMDS_TTL_MAX_S)
            return false;
        n = n * 10 + (u32)(r->ttl.at[i] - '0');
    }
    *seconds = n;
    return n >= 1 && n <= MMDS_TTL_MAX_S;
}

/* Clients read from the answer how long it lasts, under the name they used. */
static void serve_token(const struct mmds *m, const struct request *r,
                        u64 now_ns, struct mmds_answer *a)
{
    char token[MMDS_TOKEN_LEN + 1];
    u32 seconds;

    if (!request_ttl(r, &seconds)) {
        answer_text(a, 400,
                    "Invalid time to live value provided for token: not in "
                    "the range of 1 to 21600 seconds.");
        return;
    }
    mmds_token_make(&m->key, now_ns + seconds * NS_PER_S, token);
    answer_begin(a, 200, type_text, MMDS_TOKEN_LEN);
    answer_add(a, "%.*s: %u\r\n\r\n%s", (int)r->ttl_name.len, r->ttl_name.at,
               seconds, token);
}

static void serve_put(const struct mmds *m, const struct request *r, u64 now_ns,
                      struct mmds_answer *a)
{
    if (r->forwarded)
        answer_text(a, 400,
                    "Invalid header. Reason: Unsupported header name. Key: "
                    "X-Forwarded-For");
    else if (!request_is_for(r, TOKEN_PATH))
        answer_not_found(a, r);
    else if (!r->ttl.at)
        answer_text(a, 400,
                    "Token time to live value not found. Use "
                    "`X-metadata-token-ttl-seconds` or "
                    "`X-aws-ec2-metadata-token-ttl-seconds` header to specify "
                    "the token's lifetime.");
    else
        serve_token(m, r, now_ns, a);
}

/* ---- both --------------------------------------------------------------- */

static void serve_request(const struct mmds *m, const struct request *r,
                          u64 now_ns, struct mmds_answer *a)
{
    if (r->method == METHOD_GET)
        serve_get(m, r, now_ns, a);
    else if (r->method == METHOD_PUT)
        serve_put(m, r, now_ns, a);
    else
        answer_method(a, r->method);
}

u32 mmds_serve(const struct mmds *m, const char *in, u32 len, bool full,
               u64 now_ns, struct mmds_answer *a)
{
    const char *why = NULL;
    struct request r;
    u32 used;
    unsigned int status = request_parse(&r, in, len, &used, &why);

    a->close = r.close;
    if (status == 0 && used > 0 && r.body <= len - used) {
        serve_request(m, &r, now_ns, a);
        return used + r.body;
    }
    if (status == 0 && !full)
        return 0;
    if (status == 0) {
        status = used > 0 ? 413 : 431;
        why = used > 0 ? "The body is too large." : "The head is too large.";
    }
    answer_malformed(a, status, why);
    return len;
}
