/* SPDX-License-Identifier: Apache-2.0 */
/* mmds_serve: requests in any form and their answers; tokens */
#include "mmds/service.h"

#define TTL  "X-metadata-token-ttl-seconds: "
#define AWS  "X-aws-ec2-metadata-token-ttl-seconds: "
#define S    1000000000ull
#define KEEP "Connection: keep-alive\r\n"
#define END  "Connection: close\r\n"

static struct mmds m;

/* From a copy that is exactly as long, as if from the guest. */
static u32 ask(const char *text, u32 len, bool full, u64 now,
               struct mmds_answer *a)
{
    char *in = malloc(len + !len);
    u32 used;

    memcpy(in, text, len);
    used = mmds_serve(&m, in, len, full, now, a);
    free(in);
    return used;
}

static void up(enum mmds_version version)
{
    static const char data[] =
        "{\"latest\": {\"meta-data\": {\"id\": \"i-1\", \"n\": 7}}}";
    char why[128];

    m = (struct mmds){.version = version};
    ck_assert_int_eq(mmds_key_draw(&m.key), 0);
    ck_assert_int_eq(mmds_store_init(&m.store, data, strlen(data), MMDS_SIZE,
                                     why, sizeof(why)),
                     0);
}

static void down(void)
{
    mmds_store_fini(&m.store);
}

/* Both pieces as one text. */
static const char *answer_text(const struct mmds_answer *a)
{
    static char text[2048];

    ck_assert_uint_lt(a->head_len, sizeof(a->head));
    ck_assert_uint_lt(a->head_len + a->body_len, sizeof(text));
    memcpy(text, a->head, a->head_len);
    if (a->body_len > 0)
        memcpy(text + a->head_len, a->body, a->body_len);
    text[a->head_len + a->body_len] = '\0';
    return text;
}

static const struct http_case {
    const char *request;
    const char *status, *head, *body; /* head: one line of it, or NULL */
} cases[] = {
    {"GET /latest/meta-data/id HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK", KEEP,
     "i-1"},
    {"GET /latest/meta-data HTTP/1.1\r\n\r\n", "200 OK",
     "Content-Type: text/plain\r\n", "id\nn"},
    {"GET /latest HTTP/1.0\r\n\r\n", "200 OK", END, "meta-data/"},
    {"GET http://169.254.169.254/latest/ HTTP/1.1\r\n\r\n", "200 OK", NULL,
     "meta-data/"},
    {"GET HTTP://x:80//latest HTTP/1.1\r\n\r\n", "200 OK", NULL, "meta-data/"},
    {"GET / HTTP/1.1\r\nAccept: application/json\r\n\r\n", "200 OK",
     "Content-Type: application/json\r\n",
     "{\"latest\":{\"meta-data\":{\"id\":\"i-1\",\"n\":7}}}"},
    {"GET /latest/meta-data/n HTTP/1.1\r\naCCept:application/JSON ;q=1\r\n\r\n",
     "200 OK", "Content-Length: 1\r\n", "7"},
    {"GET /latest/meta-data/id HTTP/1.1\r\nAccept: image/png, "
     "application/json,text/plain\r\n\r\n",
     "200 OK", NULL, "\"i-1\""},
    {"GET /latest/meta-data/id HTTP/1.1\r\nAccept: text/plain, "
     "application/json\r\n\r\n",
     "200 OK", NULL, "i-1"},
    {"GET /latest/meta-data/id HTTP/1.1\r\nAccept: */*\r\n\r\n", "200 OK", NULL,
     "i-1"},
    {"GET /latest/meta-data/id HTTP/1.1\r\nAccept: ,, ,\r\n\r\n", "200 OK",
     NULL, "i-1"},
    {"GET /latest/meta-data/n HTTP/1.1\r\n\r\n", "501 Not Implemented", NULL,
     "Cannot retrieve value. The value has an unsupported type."},
    {"GET /no HTTP/1.1\r\n\r\n", "404 Not Found", KEEP,
     "Resource not found: /no."},
    {"GET /latest/meta-data/id?x HTTP/1.1\r\n\r\n", "404 Not Found", NULL,
     "Resource not found: /latest/meta-data/id?x."},
    {"GET /latest HTTP/1.1\r\nConnection: x, Close\r\n\r\n", "200 OK", END,
     "meta-data/"},
    {"GET /latest HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "200 OK", KEEP,
     "meta-data/"},
    {"GET /latest HTTP/1.1\r\nX-metadata-token: rubbish\r\n\r\n", "200 OK",
     NULL, "meta-data/"},
    {"POST / HTTP/1.1\r\n\r\n", "405 Method Not Allowed", "Allow: GET, PUT\r\n",
     "Not allowed HTTP method."},
    {"get / HTTP/1.1\r\n\r\n", "405 Method Not Allowed", NULL,
     "Not allowed HTTP method."},
    {"HEAD / HTTP/1.1\r\n\r\n", "405 Method Not Allowed",
     "Content-Length: 24\r\n", ""},
    /* Tokens are given out for both versions. */
    {"PUT /latest/api/token HTTP/1.1\r\n\r\n", "400 Bad Request", KEEP,
     "Token time to live value not found. Use `X-metadata-token-ttl-seconds` "
     "or `X-aws-ec2-metadata-token-ttl-seconds` header to specify the token's "
     "lifetime."},
    {"PUT /latest/api/token HTTP/1.1\r\n" TTL "0\r\n\r\n", "400 Bad Request",
     NULL, NULL},
    {"PUT /latest/api/token HTTP/1.1\r\n" TTL "21601\r\n\r\n",
     "400 Bad Request", NULL, NULL},
    {"PUT /latest/api/token HTTP/1.1\r\n" TTL "-1\r\n\r\n", "400 Bad Request",
     NULL, NULL},
    {"PUT /latest/api/token HTTP/1.1\r\n" TTL "\r\n\r\n", "400 Bad Request",
     NULL, NULL},
    {"PUT /latest/api/token HTTP/1.1\r\n" TTL "4294967297\r\n\r\n",
     "400 Bad Request", NULL, NULL},
    {"PUT /latest/api/token HTTP/1.1\r\n" TTL
     "60\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
     "400 Bad Request", NULL, NULL},
    {"PUT /latest/api/token HTTP/1.1\r\n" TTL "60\r\n\r\n", "200 OK",
     "X-metadata-token-ttl-seconds: 60\r\n", NULL},
    {"PUT //latest/api//token/ HTTP/1.1\r\n" AWS "21600\r\n\r\n", "200 OK",
     "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n", NULL},
    {"PUT /latest/api/tok HTTP/1.1\r\n" TTL "60\r\n\r\n", "404 Not Found", NULL,
     "Resource not found: /latest/api/tok."},
    {"PUT /latest/api/tokens HTTP/1.1\r\n" TTL "60\r\n\r\n", "404 Not Found",
     NULL, NULL},
    /* What is no request ends the connection. */
    {"\r\n\r\n", "400 Bad Request", END, NULL},
    {"GET /\r\n\r\n", "400 Bad Request", END, NULL},
    {"GET  / HTTP/1.1\r\n\r\n", "400 Bad Request", END, NULL},
    {"GET / HTTP/1.1 \r\n\r\n", "400 Bad Request", END, NULL},
    {"GET latest HTTP/1.1\r\n\r\n", "400 Bad Request", END, "Invalid URI."},
    {"GET http:// HTTP/1.1\r\n\r\n", "400 Bad Request", END, "Invalid URI."},
    {"GET / HTTP/2.0\r\n\r\n", "505 HTTP Version Not Supported", END, NULL},
    {"GET / HTTP/1.2\r\n\r\n", "505 HTTP Version Not Supported", END, NULL},
    {"GET / HTTP/1.1\r\nno colon\r\n\r\n", "400 Bad Request", END, NULL},
    {"GET / HTTP/1.1\r\n: x\r\n\r\n", "400 Bad Request", END, NULL},
    {"GET / HTTP/1.1\r\nAccept : x\r\n\r\n", "400 Bad Request", END, NULL},
    {"GET / HTTP/1.1\r\nA: x\r\n folded: y\r\n\r\n", "400 Bad Request", END,
     NULL},
    {"GET / HTTP/1.1\r\nA: x\ny\r\n\r\n", "400 Bad Request", END, NULL},
    {"GET / HTTP/1.1\r\nA: x\ry\r\n\r\n", "400 Bad Request", END, NULL},
    {"GET / HTTP/1.1\r\nA: \x01\r\n\r\n", "400 Bad Request", END, NULL},
    {"GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", "400 Bad Request", END,
     NULL},
    {"GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
     "400 Bad Request", END, NULL},
    {"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
     "400 Bad Request", END, NULL},
    {"GET / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n",
     "413 Content Too Large", END, NULL},
    {"PUT /latest/api/token HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
     "501 Not Implemented", END, NULL},
};

/* The length that it tells is that of the body, HEAD's apart. */
static void check_length(const char *text, const char *body)
{
    const char *at = strstr(text, "Content-Length: ");

    ck_assert_ptr_nonnull(at);
    if (body[0] || !strstr(text, " 405 "))
        ck_assert_uint_eq(strtoul(at + 16, NULL, 10), strlen(body));
}

START_TEST(test_http)
{
    const struct http_case *t = &cases[_i];
    struct mmds_answer a;
    const char *text, *body;
    u32 len = (u32)strlen(t->request);

    up(MMDS_V1);
    ck_assert_uint_eq(ask(t->request, len, false, S, &a), len);
    text = answer_text(&a);
    ck_assert_msg(strncmp(text, "HTTP/1.1 ", 9) == 0 &&
                      strncmp(text + 9, t->status, strlen(t->status)) == 0,
                  "%s: %s", t->request, text);
    body = strstr(text, "\r\n\r\n") + 4;
    ck_assert_msg(!t->head || strstr(text, t->head), "%s: %s", t->request,
                  text);
    ck_assert_msg(!t->body || strcmp(body, t->body) == 0, "%s: %s", t->request,
                  text);
    ck_assert_int_eq(a.close, strstr(text, END) != NULL);
    check_length(text, body);
    down();
}
END_TEST

/* Cut anywhere it waits for more; what follows is left alone. */
START_TEST(test_pieces)
{
    static const char two[] =
        "GET /latest HTTP/1.1\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
        "GET / HTTP/1.1\r\n\r\n";
    const u32 first = sizeof(two) - 1 - 18;
    struct mmds_answer a;

    up(MMDS_V1);
    for (u32 len = 0; len < first; len++)
        ck_assert_uint_eq(ask(two, len, false, S, &a), 0);
    for (u32 len = first; len < sizeof(two); len++)
        ck_assert_uint_eq(ask(two, len, false, S, &a), first);
    down();
}
END_TEST

/* No more room: an answer that says so, and the end. */
START_TEST(test_full)
{
    static const char body[] =
        "GET / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1234";
    struct mmds_answer a;
    char head[4096];

    up(MMDS_V1);
    memset(head, 'x', sizeof(head));
    ck_assert_uint_eq(ask(head, sizeof(head), false, S, &a), 0);
    ck_assert_uint_eq(ask(head, sizeof(head), true, S, &a), sizeof(head));
    ck_assert_ptr_nonnull(strstr(answer_text(&a), " 431 "));
    ck_assert(a.close);
    ck_assert_uint_eq(ask(body, sizeof(body) - 1, true, S, &a),
                      sizeof(body) - 1);
    ck_assert_ptr_nonnull(strstr(answer_text(&a), " 413 "));
    ck_assert(a.close);
    /* A path of any length is told in part. */
    memcpy(head, "GET /", 5);
    memcpy(head + sizeof(head) - 13, " HTTP/1.1\r\n\r\n", 13);
    ck_assert_uint_eq(ask(head, sizeof(head), true, S, &a), sizeof(head));
    ck_assert_ptr_nonnull(strstr(answer_text(&a), " 404 "));
    ck_assert(!a.close);
    down();
}
END_TEST

START_TEST(test_text_only)
{
    static const char json[] =
        "GET /latest HTTP/1.1\r\nAccept: application/json\r\n\r\n";
    struct mmds_answer a;

    up(MMDS_V1);
    m.text_only = true;
    ask(json, sizeof(json) - 1, false, S, &a);
    ck_assert_ptr_nonnull(strstr(answer_text(&a), "\r\n\r\nmeta-data/"));
    down();
}
END_TEST

START_TEST(test_no_data)
{
    static const char root[] =
        "GET / HTTP/1.1\r\nAccept: application/json\r\n\r\n";
    struct mmds_answer a;

    m = (struct mmds){0};
    ask(root, sizeof(root) - 1, false, S, &a);
    ck_assert_ptr_nonnull(strstr(answer_text(&a), " 404 "));
}
END_TEST

/* ---- tokens ------------------------------------------------------------- */

static unsigned int get_with(const char *name, const char *token, u64 now)
{
    struct mmds_answer a;
    char text[256];

    snprintf(text, sizeof(text), "GET /latest HTTP/1.1\r\n%s: %s\r\n\r\n", name,
             token);
    ask(text, (u32)strlen(text), false, now, &a);
    return (unsigned int)strtoul(answer_text(&a) + 9, NULL, 10);
}

static void get_token(const char *request, u64 now, char token[64])
{
    struct mmds_answer a;

    ask(request, (u32)strlen(request), false, now, &a);
    snprintf(token, 64, "%s", strstr(answer_text(&a), "\r\n\r\n") + 4);
    ck_assert_uint_eq(strlen(token), MMDS_TOKEN_LEN);
}

START_TEST(test_session)
{
    static const char none[] = "GET /latest HTTP/1.1\r\n\r\n";
    struct mmds_answer a;
    char token[64], other[64];

    up(MMDS_V2);
    ask(none, sizeof(none) - 1, false, S, &a);
    ck_assert_ptr_nonnull(strstr(answer_text(&a), " 401 Unauthorized\r\n"));
    ck_assert_ptr_nonnull(strstr(answer_text(&a), "No MMDS token provided."));
    get_token("PUT /latest/api/token HTTP/1.1\r\n" TTL "10\r\n\r\n", S, token);
    ck_assert_uint_eq(get_with("X-metadata-token", token, S), 200);
    ck_assert_uint_eq(get_with("x-AWS-ec2-metadata-token", token, S), 200);
    ck_assert_uint_eq(get_with("X-metadata-token", token, 11 * S - 1), 200);
    ck_assert_uint_eq(get_with("X-metadata-token", token, 11 * S), 401);
    /* Any bit of it counts, its time included. */
    for (unsigned int i = 0; i < MMDS_TOKEN_LEN; i++) {
        memcpy(other, token, sizeof(other));
        other[i] = other[i] == '0' ? '1' : '0';
        ck_assert_uint_eq(get_with("X-metadata-token", other, S), 401);
        other[i] = 'X';
        ck_assert_uint_eq(get_with("X-metadata-token", other, S), 401);
        other[i] = '\0';
        ck_assert_uint_eq(get_with("X-metadata-token", other, S), 401);
    }
    get_token("PUT /latest/api/token HTTP/1.1\r\n" AWS "21600\r\n\r\n", S,
              other);
    ck_assert_str_ne(token, other);
    ck_assert_uint_eq(get_with("X-metadata-token", other, 21600 * S), 200);
    /* Another VM's key. */
    ck_assert_int_eq(mmds_key_draw(&m.key), 0);
    ck_assert_uint_eq(get_with("X-metadata-token", token, S), 401);
    down();
}
END_TEST

/* RFC 4231's cases have keys of other lengths; this is Python's
 * hmac.new(bytes(range(32)), b"Thello", "sha256"). */
START_TEST(test_hmac)
{
    static const u8 want[] = {
        0xf4, 0xb5, 0x3d, 0x53, 0xfe, 0x3b, 0xaf, 0xe0, 0x5b, 0xd7, 0xf3,
        0xce, 0x77, 0xb3, 0xd4, 0x0f, 0x2f, 0xb6, 0x5c, 0x94, 0x1c, 0xf8,
        0xab, 0x72, 0x56, 0x3f, 0xc6, 0x42, 0x1b, 0xe0, 0x73, 0x62,
    };
    struct mmds_key key;
    u8 digest[MMDS_DIGEST_LEN];

    for (u8 i = 0; i < sizeof(key.byte); i++)
        key.byte[i] = i;
    mmds_key_sign(&key, 'T', "hello", 5, digest);
    ck_assert_mem_eq(digest, want, sizeof(want));
}
END_TEST

Suite *suite_mmds_serve(void);
Suite *suite_mmds_serve(void)
{
    Suite *s = suite_create("mmds_serve");
    TCase *tc = tcase_create("mmds_serve");

    tcase_add_loop_test(tc, test_http, 0, ARRAY_SIZE(cases));
    tcase_add_test(tc, test_pieces);
    tcase_add_test(tc, test_full);
    tcase_add_test(tc, test_text_only);
    tcase_add_test(tc, test_no_data);
    tcase_add_test(tc, test_session);
    tcase_add_test(tc, test_hmac);
    suite_add_tcase(s, tc);
    return s;
}
