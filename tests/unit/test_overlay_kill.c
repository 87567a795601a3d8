/* SPDX-License-Identifier: Apache-2.0 */
/* overlay.c: a process that is killed in the middle of its writes leaves a
 * layer with all that was flushed, run after run */
#include <check.h>
#include <signal.h>
#include <sys/wait.h>

#include "overlay_rig.h"

#define OPS_MAX 4096u

struct op {
    enum disk_op op;
    u64 sector, nr;
    u32 seed;
};

/* What a run does, as a function of its seed. */
static void ops_make(struct op *op, u32 seed)
{
    for (unsigned int i = 0; i < OPS_MAX; i++) {
        u32 dice = rig_random(&seed) % 10;

        op[i].op = dice < 7 ? DISK_WRITE : dice < 8 ? DISK_ZEROES : DISK_FLUSH;
        op[i].sector = rig_random(&seed) % SECTORS;
        op[i].nr = 1 + rig_random(&seed) % 300;
        op[i].nr = MIN(op[i].nr, SECTORS - op[i].sector);
        op[i].seed = rig_random(&seed);
    }
}

static void op_sector(const struct op *op, u64 sector, u8 out[512])
{
    if (op->op == DISK_ZEROES)
        memset(out, 0, 512);
    else
        rig_pattern(out, 512, op->seed + (u32)sector * 7919u);
}

static bool op_covers(const struct op *op, u64 sector)
{
    return op->op != DISK_FLUSH && sector >= op->sector &&
           sector - op->sector < op->nr;
}

/* The victim: tells each operation's number when it is done. */
static void victim(const struct op *op, enum disk_engine engine, int out)
{
    u8 *buf = malloc(300 * 512);
    struct disk_rig rig;

    layer_up(&rig, engine, persistent());
    for (u32 i = 0; i < OPS_MAX; i++) {
        for (u64 s = 0; op[i].op == DISK_WRITE && s < op[i].nr; s++)
            op_sector(&op[i], op[i].sector + s, buf + s * 512);
        if (rig_do(&rig, op[i].op, buf, op[i].sector * 512, op[i].nr * 512) !=
                0 ||
            write(out, &i, sizeof(i)) != sizeof(i))
            _exit(1);
    }
    pause();
}

/* Run it and kill it, us after its start or its first operation; the number of
 * operations that it has told. */
static u32 run_and_kill(const struct op *op, enum disk_engine engine, u32 us,
                        bool from_start)
{
    int told[2], status;
    u32 last = ~0u, n;
    pid_t pid;

    ck_assert_int_eq(pipe2(told, O_CLOEXEC), 0);
    ck_assert_int_ge(fcntl(told[0], F_SETPIPE_SZ, 1 << 20), 0);
    pid = fork();
    if (pid == 0)
        victim(op, engine, told[1]);
    close(told[1]);
    if (!from_start)
        ck_assert_int_eq(read(told[0], &last, sizeof(last)), sizeof(last));
    usleep(us);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    ck_assert(WIFSIGNALED(status));
    while (read(told[0], &n, sizeof(n)) == sizeof(n))
        last = n;
    close(told[0]);
    return last + 1;
}

/* Each sector is as it was after the last flush that was told, or as an
 * operation since then has made it. was: before the run. */
static void check_survivor(const struct op *op, u32 told, const u8 *was,
                           const u8 *got)
{
    u32 flushed = 0;

    for (u32 i = 0; i < told; i++)
        if (op[i].op == DISK_FLUSH)
            flushed = i;
    for (u64 s = 0; s < SECTORS; s++) {
        u8 want[512];
        bool found;

        memcpy(want, was + s * 512, 512);
        for (u32 i = 0; i < flushed; i++)
            if (op_covers(&op[i], s))
                op_sector(&op[i], s, want);
        found = memcmp(want, got + s * 512, 512) == 0;
        for (u32 i = flushed; i <= told && !found; i++) {
            if (!op_covers(&op[i], s))
                continue;
            op_sector(&op[i], s, want);
            found = memcmp(want, got + s * 512, 512) == 0;
        }
        ck_assert_msg(found, "sector %llu after %u operations, flush %u",
                      (unsigned long long)s, told, flushed);
    }
}

START_TEST(test_kill)
{
    struct op *op = calloc(OPS_MAX + 1, sizeof(*op));
    u8 *was = malloc(SIZE), *got = malloc(SIZE);
    u32 seed = (u32)_i + 42, told, sum = 0;
    struct disk_rig rig;

    files_up(was);
    for (unsigned int round = 0; round < 25; round++) {
        ops_make(op, rig_random(&seed));
        told = run_and_kill(op, _i ? DISK_ASYNC : DISK_SYNC,
                            rig_random(&seed) % 5000, round % 4 == 0);
        sum += told;
        layer_up(&rig, DISK_SYNC, persistent());
        ck_assert_int_eq(rig_do(&rig, DISK_READ, got, 0, SIZE), 0);
        check_survivor(op, told, was, got);
        rig_down(&rig);
        memcpy(was, got, SIZE);
    }
    ck_assert_uint_gt(sum, 20); /* or nothing was tested */
    files_down();
    free(was);
    free(got);
    free(op);
}
END_TEST

Suite *suite_overlay_kill(void);
Suite *suite_overlay_kill(void)
{
    Suite *s = suite_create("overlay_kill");
    TCase *tc = tcase_create("overlay_kill");

    tcase_add_loop_test(tc, test_kill, 0, 2);
    suite_add_tcase(s, tc);
    return s;
}
