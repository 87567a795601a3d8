/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compat.c: a 32-bit program without a library, for a 64-bit kernel: both ways
 * into it, segments of its own, what only that mode has, x87 and SSE, and a far
 * jump to 64-bit code and back. Prints the same wherever it runs.
 */
typedef unsigned int u32;
typedef unsigned long long u64;

#define AT_SYSINFO 32 /* __kernel_vsyscall */

static u32 vsyscall;

static u32 call80(u32 nr, u32 a, u32 b, u32 c)
{
    u32 ret;

    __asm__ volatile("int $0x80"
                     : "=a"(ret)
                     : "a"(nr), "b"(a), "c"(b), "d"(c)
                     : "memory");
    return ret;
}

/* SYSENTER or SYSCALL, as the kernel chooses for this processor. */
static u32 call_fast(u32 nr, u32 a, u32 b, u32 c)
{
    u32 ret;

    __asm__ volatile("call *%5"
                     : "=a"(ret)
                     : "a"(nr), "b"(a), "c"(b), "d"(c), "m"(vsyscall)
                     : "memory");
    return ret;
}

enum { SYS_EXIT = 1, SYS_FORK = 2, SYS_WRITE = 4, SYS_WAITPID = 7 };
enum { SYS_GETPID = 20, SYS_SET_THREAD_AREA = 243 };

static void show(const char *name, u32 val)
{
    char line[64];
    u32 n = 0;

    while (name[n]) {
        line[n] = name[n];
        n++;
    }
    line[n++] = ' ';
    for (int shift = 28; shift >= 0; shift -= 4)
        line[n++] = "0123456789abcdef"[val >> shift & 15];
    line[n++] = '\n';
    call80(SYS_WRITE, 1, (u32)line, n);
}

static void test_calls(void)
{
    u32 pid = call80(SYS_GETPID, 0, 0, 0), child, status = 0;

    show("the same process by the fast way",
         vsyscall && call_fast(SYS_GETPID, 0, 0, 0) == pid);
    child = call_fast(SYS_FORK, 0, 0, 0);
    if (child == 0)
        call_fast(SYS_EXIT, 42, 0, 0);
    call80(SYS_WAITPID, child, (u32)&status, 0);
    show("status of a child", status);
}

static void test_segment(void)
{
    static u32 words[4] = {0x11, 0x22, 0x33, 0x44};
    /* entry_number, base_addr, limit, seg_32bit and limit_in_pages */
    u32 desc[4] = {~0u, (u32)words, 15, 1}, got, size;

    show("set_thread_area", call80(SYS_SET_THREAD_AREA, (u32)desc, 0, 0));
    __asm__ volatile("mov %%gs, %%ecx\n mov %2, %%gs\n mov %%gs:8, %0\n"
                     "lsl %2, %1\n mov %%ecx, %%gs"
                     : "=&r"(got), "=&r"(size)
                     : "r"(desc[0] << 3 | 3)
                     : "ecx");
    show("a word by its selector", got);
    show("its limit", size);
}

static void test_old(void)
{
    u32 eax = 0x79, flags, sum;

    __asm__("add $0x48, %%al\n daa\n pushf\n pop %1" : "+a"(eax), "=r"(flags));
    show("DAA", eax << 8 | (flags & 0xd5));
    eax = 0x3f;
    __asm__("aam\n aad $7\n aaa" : "+a"(eax));
    show("AAM, AAD, AAA", eax & 0xffff);
    __asm__ volatile("push %%ebp\n mov $1, %%eax\n mov $2, %%ebx\n"
                     "pusha\n xor %%eax, %%eax\n xor %%ebx, %%ebx\n popa\n"
                     "enter $16, $1\n leave\n pop %%ebp\n lea (%%eax,%%ebx), %0"
                     : "=c"(sum)
                     :
                     : "eax", "ebx", "edx", "esi", "edi", "memory");
    show("PUSHA, POPA, ENTER", sum);
}

static void test_floats(void)
{
    double x = 2, y = 0;
    u64 bits;

    __asm__("fldl %1\n fsqrt\n fldpi\n fmulp\n fstpl %0" : "=m"(y) : "m"(x));
    __builtin_memcpy(&bits, &y, sizeof(bits));
    show("x87, high", (u32)(bits >> 32));
    show("x87, low", (u32)bits);
    __asm__("movsd %1, %%xmm0\n sqrtsd %%xmm0, %%xmm0\n movsd %%xmm0, %0"
            : "=m"(y)
            : "m"(x)
            : "xmm0");
    __builtin_memcpy(&bits, &y, sizeof(bits));
    show("SSE, low", (u32)bits);
}

/* The kernel's user code segments: 0x23 of 32 bits, 0x33 of 64. */
static void test_long_mode(void)
{
    u32 high;

    __asm__ volatile("ljmp $0x33, $1f\n"
                     "1: .byte 0x48, 0xb8\n .quad 0x1234567890\n" /* MOV RAX */
                     ".byte 0x48, 0xc1, 0xe8, 0x20\n" /* SHR RAX, 32 */
                     ".byte 0x6a, 0x23\n"             /* PUSH 0x23 */
                     ".byte 0x68\n .long 2f\n"        /* PUSH 2f */
                     ".byte 0x48, 0xcb\n"             /* RETF, 64 bits */
                     "2:"
                     : "=a"(high)
                     :
                     : "memory");
    show("64-bit code, and back", high);
}

void compat_main(u32 *stack);
void compat_main(u32 *stack)
{
    u32 *p = stack + 1 + stack[0] + 1; /* argc, argv, NULL, environment */

    while (*p)
        p++;
    for (p++; p[0]; p += 2)
        if (p[0] == AT_SYSINFO)
            vsyscall = p[1];
    test_calls();
    test_segment();
    test_old();
    test_floats();
    test_long_mode();
    call80(SYS_EXIT, 0, 0, 0);
}

__asm__(".globl _start\n_start: mov %esp, %eax\n and $-16, %esp\n"
        "sub $12, %esp\n push %eax\n call compat_main\n");
