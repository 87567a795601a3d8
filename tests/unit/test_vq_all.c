/* SPDX-License-Identifier: Apache-2.0 */
/* vq.c: every small ring there is, against a model of the specification */
#include <check.h>

#include "vq_ring.h"

/*
 * Entry i of a table is one of 8 flags times n + 1 next indices; whatever they
 * are, what comes out keeps the rules, and is what the model says. */

struct model {
    const struct desc *main, *table; /* table has 2 entries */
    u32 num;
    bool indirect; /* the feature */
    u32 out, in, steps;
};

/* What the specification says about the chain from entry i of t. */
static bool model_walk(struct model *m, const struct desc *t, u32 n, u32 i)
{
    if (i >= n || m->steps == m->num)
        return false;
    if (t[i].flags & INDIRECT)
        return m->indirect && t == m->main && !(t[i].flags & NEXT) &&
               model_walk(m, m->table, 2, 0);
    if (t[i].flags & WRITE)
        m->in++;
    else if (m->in > 0)
        return false;
    else
        m->out++;
    m->steps++;
    return !(t[i].flags & NEXT) || model_walk(m, t, n, t[i].next);
}

static struct desc nth_desc(u32 code, u32 n, u32 i)
{
    struct desc d = {.flags = (u16)(code % 8),
                     .next = (u16)(code / 8 % (n + 1))};

    d.addr = d.flags & INDIRECT ? TABLE : BUF + 0x100 * i;
    d.len = d.flags & INDIRECT ? 32 : 1 + i;
    return d;
}

static void nth_table(struct desc *d, u32 code, u32 n)
{
    for (u32 i = 0; i < n; i++) {
        d[i] = nth_desc(code, n, i);
        code /= 8 * (n + 1);
    }
}

static u32 nr_tables(u32 n)
{
    u32 all = 1;

    for (u32 i = 0; i < n; i++)
        all *= 8 * (n + 1);
    return all;
}

static void check_chain(struct ring *r, const struct vq_chain *c)
{
    u8 *ram = mem_range(r->mem, 0, 1);
    u64 sum[2] = {0};

    must(c->nr_out + c->nr_in > 0 && c->nr_out + c->nr_in <= (int)r->num);
    must(c->in == c->out + c->nr_out && c->head < r->num);
    for (u32 i = 0; i < (u32)c->nr_out + c->nr_in; i++) {
        u64 off = (u64)((u8 *)c->out[i].iov_base - ram);

        must(c->out[i].iov_len > 0);
        must(off < RAM && c->out[i].iov_len <= RAM - off);
        sum[i >= c->nr_out] += c->out[i].iov_len;
    }
    must(sum[0] == c->out_len && sum[1] == c->in_len);
}

/* Take all that the ring offers, in the given heads' order, then give it back;
 * or give back each at once. */
static void run_ring(struct ring *r, const struct model *m, const u16 *heads,
                     u16 nr_heads, bool at_once)
{
    struct vq_chain c[4];
    u16 done = 0, used;
    int got;

    while ((got = vq_pop(&r->vq, &c[done])) > 0) {
        struct model now = *m;

        must(done < nr_heads); /* no more chains than entries */
        must(model_walk(&now, m->main, m->num, heads[done]));
        must(c[done].head == heads[done]);
        must(c[done].nr_out == now.out && c[done].nr_in == now.in);
        check_chain(r, &c[done]);
        if (at_once)
            vq_push(&r->vq, &c[done], c[done].in_len);
        done++;
    }
    if (got == 0)
        must(done == nr_heads);
    if (got < 0) {
        struct model now = *m;
        bool again = false;

        for (u16 i = 0; i < done && !at_once; i++)
            again |= heads[i] == heads[done];
        must(got == -EPROTO && r->vq.why);
        must(nr_heads > r->num || again ||
             !model_walk(&now, m->main, m->num, heads[done]));
    }
    for (u16 i = 0; i < done && !at_once; i++)
        vq_push(&r->vq, &c[i], c[i].in_len);
    used = get16(r, USED + 2);
    must(used == done && r->vq.inflight == 0);
    for (u16 i = 0; i < done; i++)
        must(get16(r, USED + 4 + 8 * i) == heads[i]);
}

static void run_heads(struct ring *r, const struct model *m, u32 code, u16 nr)
{
    u64 features = m->indirect ? VIRTIO_F_INDIRECT_DESC : 0;
    u16 heads[4];

    for (int at_once = 0; at_once < 2; at_once++) {
        u32 left = code;

        ring_again(r, features);
        for (u16 i = 0; i < nr; i++) {
            heads[i] = (u16)(left % (r->num + 1));
            left /= r->num + 1;
            offer(r, i, heads[i]);
        }
        run_ring(r, m, heads, nr, at_once);
    }
}

/* Sizes 1 and 2: every table, every indirect table, every pair of heads, and
 * an avail index up to one too far. */
START_TEST(test_all_small)
{
    u32 num = _i == 0 ? 1 : 2;
    struct desc main[2], table[2];
    struct ring r;

    ring_up(&r, RAM, (u16)num, 0);
    for (u32 t = 0; t < nr_tables(num); t++) {
        bool indirect = false;

        nth_table(main, t, num);
        for (u32 i = 0; i < num; i++) {
            put_desc(&r, DESC, i, &main[i]);
            indirect |= main[i].flags & INDIRECT;
        }
        for (u32 u = 0; u < (indirect ? nr_tables(2) : 1); u++) {
            struct model m = {main, table, num, (u & 7) != 3, 0, 0, 0};

            nth_table(table, u, 2);
            put_desc(&r, TABLE, 0, &table[0]);
            put_desc(&r, TABLE, 1, &table[1]);
            run_heads(&r, &m, u % ((num + 1) * (num + 1)),
                      (u16)(t % (num + 1)));
        }
    }
    ring_down(&r);
}
END_TEST

START_TEST(test_all_heads)
{
    struct desc main[2], table[2];
    struct ring r;

    ring_up(&r, RAM, 2, 0);
    nth_table(table, 24 + 2, 2);
    put_desc(&r, TABLE, 0, &table[0]);
    put_desc(&r, TABLE, 1, &table[1]);
    for (u32 t = 0; t < nr_tables(2); t++) {
        struct model m = {main, table, 2, true, 0, 0, 0};

        nth_table(main, t, 2);
        put_desc(&r, DESC, 0, &main[0]);
        put_desc(&r, DESC, 1, &main[1]);
        for (u16 nr = 0; nr <= 3; nr++) {
            for (u32 heads = 0; heads < 27; heads++)
                run_heads(&r, &m, heads, nr);
        }
    }
    ring_down(&r);
}
END_TEST

/* Size 4, from head 0: descriptors the chain does not reach are not varied. */
static void all_four(struct ring *r, struct model *m, struct desc *main, u32 at,
                     u32 known)
{
    u16 head = 0;

    for (u32 code = 0; code < 40; code++) {
        bool more;

        main[at] = nth_desc(code, 4, at);
        put_desc(r, DESC, at, &main[at]);
        more = (main[at].flags & (NEXT | INDIRECT)) == NEXT;
        if (more && main[at].next < 4 && !(known >> main[at].next & 1)) {
            all_four(r, m, main, main[at].next, known | 1u << main[at].next);
            continue;
        }
        ring_again(r, VIRTIO_F_INDIRECT_DESC);
        offer(r, 0, head);
        run_ring(r, m, &head, 1, code & 1);
    }
}

START_TEST(test_all_four)
{
    static const u32 tables[] = {0, 2, 24 + 1 + 8, 24 * 2 + 3 + 8, 7};
    struct desc main[4] = {0}, table[2];
    struct model m = {main, table, 4, true, 0, 0, 0};
    struct ring r;

    ring_up(&r, RAM, 4, VIRTIO_F_INDIRECT_DESC);
    nth_table(table, tables[_i], 2);
    put_desc(&r, TABLE, 0, &table[0]);
    put_desc(&r, TABLE, 1, &table[1]);
    all_four(&r, &m, main, 0, 1);
    ring_down(&r);
}
END_TEST

Suite *suite_vq_all(void);
Suite *suite_vq_all(void)
{
    Suite *s = suite_create("vq_all");
    TCase *tc = tcase_create("vq_all");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, test_all_small, 0, 2);
    tcase_add_test(tc, test_all_heads);
    tcase_add_loop_test(tc, test_all_four, 0, 5);
    suite_add_tcase(s, tc);
    return s;
}
