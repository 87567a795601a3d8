# SPDX-License-Identifier: Apache-2.0
# mote: two commands set up a fresh Debian 12: "make run" and "make check".

MODE ?= rel
CC = gcc
B := build/$(MODE)$(if $(filter-out gcc cc,$(CC)),-$(notdir $(CC)))
VERSION := 0.1.0
PREFIX ?= /usr/local
Q := $(if $(V),,@)
# All cores; below, the job server of the first make counts.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

# $(call try,FLAGS): these, if the compiler knows them.
try = $(shell $(CC) -Werror $(1) -c -x c /dev/null -o /dev/null 2>/dev/null \
	&& echo '$(1)')
WARN := -Wall -Wextra -Werror -Wshadow -Wvla -Walloca -Wmissing-prototypes \
	-Wstrict-prototypes -Wwrite-strings -Wcast-qual -Wimplicit-fallthrough \
	-Wformat=2 -Wundef -Wpointer-arith -Wno-unused-parameter
HARDEN := -fstack-protector-strong -fstack-clash-protection \
	-fcf-protection=full -fno-strict-aliasing \
	-fno-delete-null-pointer-checks -fPIE $(call try,-fstrict-flex-arrays=3)
# Locals start as zero; clang 14 has that only with a second option.
ZERO := -ftrivial-auto-var-init=zero
ZERO := $(or $(call try,$(ZERO)),$(call try,$(ZERO) -enable-trivial-auto-var$\
	-init-zero-knowing-it-will-be-removed-from-clang))
# A sanitizer would not see through these.
MASK := $(ZERO) -fno-strict-overflow \
	$(call try,-fzero-call-used-regs=used-gpr)
LDHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
SAN_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined
SAN_tsan := -fsanitize=thread
SAN_fuzz := $(SAN_asan)
OPT_rel := -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 $(MASK)
OPT_dbg := -Og -DINTERP_LOOP $(MASK)
OPT_asan := -O1 -fno-omit-frame-pointer -DINTERP_LOOP $(SAN_asan)
# Fences, which TSan does not model, only order a store and a later load here;
# what one thread hands to another goes by release and acquire.
OPT_tsan := -O1 -DINTERP_LOOP $(SAN_tsan) $(call try,-Wno-tsan)
# Its search for leaks loses sight of objects that are handed out by a part of
# them (&raw->disk); clang-tidy and ASan look for leaks too.
OPT_analyze := -O2 -fanalyzer -Wno-analyzer-malloc-leak
OPT_cov := -O0 -DINTERP_LOOP --coverage -fprofile-update=atomic
# Counters of edges only: a call for each comparison is half of a run's time,
# and what is compared with is in the inputs and words of the tree.
# The interpreter's caches are small: cheap to flush for each input, and entries
# fall out of them.
OPT_fuzz := $(OPT_asan) -O2 -fsanitize-coverage=edge,inline-8bit-counters,pc-table \
	-DTLB_SIZE=64 -DJUMP_SIZE=64 -DHASH_SIZE=64 -DPAGES_HASH=16
OPT := $(OPT_$(MODE))
$(if $(OPT),,$(error MODE=$(MODE): use rel, dbg, asan, tsan, cov, fuzz or analyze))

CPPFLAGS += -Iinclude -D_GNU_SOURCE -DMOTE_VERSION='"$(VERSION)"'
CFLAGS_ALL := -std=gnu17 -g $(OPT) $(WARN) $(HARDEN) $(CFLAGS)
LDFLAGS_ALL := $(LDHARDEN) $(SAN_$(MODE)) $(if $(filter cov,$(MODE)),--coverage) \
	$(LDFLAGS)
LDLIBS := -ljansson -llz4 -lzstd -llzma -lz -lbz2 -luring -lcap -lmd \
	-lext2fs -lcom_err -lpthread
# Files that read guest data take no implicit narrowing.
STRICT := -Wconversion -Wsign-conversion $(call try,-Warith-conversion) \
	$(call try,-Wstringop-overflow=4)
# C code of the interpreter never touches the vector and x87 state, which is
# the guest's; the stubs are assembly.
INTERP := -mgeneral-regs-only -mno-red-zone

SRC := $(wildcard src/*.c src/*/*.c)
ASM := $(wildcard src/*/*.S)
GUEST := $(wildcard guest/*.c)
OBJ := $(SRC:%.c=$B/%.o) $(ASM:%.S=$B/%.o)
# The filters' BPF, made of the policy when mote is built.
OBJ += $B/filter_table.o
LIBOBJ := $(filter-out $B/src/main.o,$(OBJ))
UNIT := $(wildcard tests/unit/test_*.c)
UNITOBJ := $(UNIT:%.c=$B/%.o) $B/tests/unit/main.o
FUZZ := $(wildcard tests/fuzz/fuzz_*.c)
FUZZERS := $(FUZZ:tests/fuzz/fuzz_%.c=%)
HOSTOBJ := $(addprefix $B/tests/fuzz/,host.o host_fd.o host_file.o host_mem.o)
REPLAYOBJ := $(FUZZ:%.c=$B/%.o) $(HOSTOBJ) $B/tests/fuzz/replay.o
DEP = $(shell find build -name '*.d' 2>/dev/null)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all run check test unit diff guest boot faults bench fuzz lint format cov install \
	clean

all: setup-build mote

mote: $B/mote
	$(Q)ln -sfn $< $@

# Installs what is missing before anything is compiled.
.PHONY: setup-build setup-run setup-check setup-lint setup-fuzz setup-bench \
	setup-cov
setup-build setup-run setup-check setup-lint setup-fuzz setup-bench \
setup-cov: setup-%:
	$(Q)SETUP=$(SETUP) tools/setup $*

$B/mote: $(OBJ)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS)

# With those parts of the guest's init that read what others write.
$B/libmote.a: $(LIBOBJ) $(addprefix $B/guest/,orders.o dhcp.o user.o)
	@echo "  AR    $@"
	$(Q)rm -f $@ && $(AR) crs $@ $^

$B/src/interp/%.o: CFLAGS_ALL += $(INTERP)
$(addprefix $B/src/,mem.o bus.o loader/%.o virtio/%.o block/%.o mmds/%.o net/%.o rootfs/%.o \
	sandbox/%.o run/kernel_%.o run/modules.o): CFLAGS_ALL += $(STRICT)
# Unit tests may include the private header of what they test.
$B/tests/unit/%.o: CPPFLAGS += -Isrc -I. -I$B -include tests/unit/unit.h
# The packages of the tests come before what includes their headers.
$(UNITOBJ): | setup-check
# Tests play every role.
$B/tests/%.o: CFLAGS_ALL += -Wno-thread-safety
$B/tests/unit/main.o: $B/suites.h

$B/%.o: %.c | setup-build
	@echo "  CC    $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$B/%.o: %.S
	@echo "  AS    $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -g -MMD -MP -c -o $@ $<

# The guest's own init, which mote carries: always this recipe, whatever mote is
# built with or for.
GUESTCC := musl-gcc
MUSL := /usr/include/x86_64-linux-musl
GUESTFLAGS := -std=gnu17 -Os $(WARN) -Wconversion -Wsign-conversion \
	-fstack-protector-strong -fno-strict-aliasing -fno-pie -static -no-pie \
	-fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections \
	-Wl,--gc-sections,-z,noseparate-code,-z,noexecstack,--build-id=none -s

$B/guest/init: $(GUEST) $(wildcard guest/*.h) include/mote/base.h \
		include/mote/guest.h | setup-build
	@echo "  GUEST $@"
	$(Q)mkdir -p $(@D)
	$(Q)$(GUESTCC) -Iinclude -D_GNU_SOURCE $(GUESTFLAGS) -o $@ $(GUEST)

$B/src/run/guest_init.o: CPPFLAGS += -DGUEST_INIT_FILE='"$B/guest/init"'
$B/src/run/guest_init.o: $B/guest/init

# Instrumented code has system calls of its own.
POLICY := $(if $(filter rel dbg,$(MODE)),,sanitizer)
GENFILTER := build/genfilter

$(GENFILTER): tools/genfilter.c $(wildcard src/sandbox/policy*.def) | setup-build
	@echo "  HOSTCC $<"
	$(Q)mkdir -p $(@D)
	$(Q)gcc -std=gnu17 -O1 -D_GNU_SOURCE $(WARN) -Iinclude -Isrc/sandbox -o $@ $< -lseccomp

$B/filter_table.c: $(GENFILTER)
	@echo "  GEN   $@"
	$(Q)mkdir -p $(@D)
	$(Q)$(GENFILTER) table $(POLICY) > $@

$B/filter_table.o: CPPFLAGS += -Isrc
$B/filter_table.o: $B/filter_table.c
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# One suite per file: tests/unit/test_x.c defines Suite *suite_x(void).
$B/suites.h: $(UNIT) Makefile
	$(Q)mkdir -p $(@D)
	$(Q)printf 'SUITE(%s)\n' $(UNIT:tests/unit/test_%.c=%) > $@

$B/unit: $(UNITOBJ) $B/libmote.a
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lcheck -lsubunit -lm -lrt \
		$(LDLIBS)

# Fuzz targets: one program each for libFuzzer, or all in one that replays the
# inputs in the tree, where each has a name of its own.
$B/tests/fuzz/%.o: CPPFLAGS += -Isrc -I. -Itests/fuzz -Itests/unit -I$B $(if \
	$(filter fuzz,$(MODE)),,-DLLVMFuzzerTestOneInput=$(notdir $*))
$B/tests/fuzz/replay.o: $B/fuzzers.h

$B/fuzzers.h: $(FUZZ)
	$(Q)mkdir -p $(@D)
	$(Q)printf 'FUZZER(%s)\n' $(FUZZERS) > $@

# What tests/fuzz/host*.c do instead of the host and of other threads.
FUZZWRAP := clock_gettime getrandom loop_call loop_post loop_wait config_read \
	blob_text eventfd timerfd_create timerfd_settime epoll_create1 epoll_ctl \
	epoll_wait close read write send recv accept4 malloc calloc realloc free \
	mmap munmap lzma_alone_decoder lzma_stream_decoder BZ2_bzDecompressInit ZSTD_createDCtx \
	overlay_file_open preadv pwritev fallocate ftruncate fdatasync fsync fstat
$B/replay: $(REPLAYOBJ) $B/libmote.a
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(FUZZWRAP:%=-Wl,--wrap=%) -o $@ \
		$^ $(LDLIBS)

$B/fuzz_%: $B/tests/fuzz/fuzz_%.o $(HOSTOBJ) $B/libmote.a
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(FUZZWRAP:%=-Wl,--wrap=%) \
		-fsanitize=fuzzer -o $@ $^ $(LDLIBS)

# The same instructions on the host CPU and in the interpreter.
DIFFOBJ := $(patsubst %.c,$B/%.o,$(wildcard tests/diff/*.c)) \
	$B/tests/diff/enter.o
$B/tests/diff/%.o: CPPFLAGS += -Isrc
$B/diff: $(DIFFOBJ) $B/libmote.a
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lseccomp $(LDLIBS)

# Its tests only: what makes the host misbehave.
INJECT = $B/tests/faults/inject
$(INJECT): $(INJECT).o
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lseccomp

$B/tests/bench/%.o: CPPFLAGS += -Isrc -Itests/unit

# The calls that devpath counts.
WRAPPED := epoll_wait epoll_ctl read write timerfd_settime
$B/devpath: $B/tests/bench/devpath.o $B/libmote.a
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(WRAPPED:%=-Wl,--wrap=%) -o $@ \
		$^ $(LDLIBS)

# A drive's RBD disk without a VM.
$B/rbdio: $B/tests/ceph/rbdio.o $B/libmote.a
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS)

$B/jailcost: $B/tests/bench/jailcost.o $B/libmote.a
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS)

$B/filter: $B/tests/bench/filter.o $B/libmote.a
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS)

run: setup-run mote
	$(Q)tools/run $(ARGS)

unit: setup-check $B/unit
	$(Q)$(if $(T),CK_RUN_SUITE=$(T)) $B/unit

# The interpreter beside the host CPU: S seconds of SEED, which is printed.
diff: setup-check $B/diff
	$(Q)$B/diff -t $(S) -s $(or $(SEED),$(shell date +%s))

guest: setup-check mote
	$(Q)B=$B tests/guest/run $(T)

boot: setup-check mote
	$(Q)tests/boot/run $(T)

# Unit tests and inputs a second time, under ASan and UBSan: hostile input is
# most of them.
.PHONY: asan-check
asan-check: | setup-check
	$(Q)$(MAKE) --no-print-directory MODE=asan build/asan/unit \
		build/asan/replay build/asan/diff

faults: setup-check mote $(INJECT)
	$(Q)B=$B tests/faults/run $(T)

check: setup-check mote $(INJECT) $B/unit $B/replay $B/diff $B/rbdio asan-check
	$(Q)B=$B tests/check
test: check

bench: setup-bench mote $B/rbdio $B/devpath $B/jailcost $B/filter
	$(Q)tests/bench/boot
	$(Q)tests/bench/run
	$(Q)tests/bench/start
	$(Q)tests/bench/blk
	$(Q)tests/bench/net
	$(Q)B=$B tests/bench/rbd
	$(Q)$B/devpath
	$(Q)$B/filter
	$(Q)B=$B tests/bench/jail

# New inputs go to build/corpus; what crashes goes to tests/fuzz/regress. Memory
# that grows with the input is a crash too.
S ?= 60
FUZZLEN_decode := 32
FUZZLEN_limit := 128
FUZZLEN_interp := 96
FUZZLEN_overlay := 128
FUZZLEN_json := 1024
FUZZLEN_oci := 1024
FUZZLEN_bzimage := 1280
FUZZLEN_inspect := 1024
FUZZLEN_ports := 256
# More than the headers, which are collected first.
FUZZLEN_elf := 10240
FUZZLEN_layers := 256
FUZZLEN_cli := 256
FUZZLEN_net := 192
FUZZLEN_console := 128
FUZZ_FLAGS = -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=512 -entropic=0 \
	-max_len=$(or $(FUZZLEN_$*),512) \
	$(patsubst %,-dict=%,$(wildcard tests/fuzz/dict/$*.dict))
# Who has allocated what a report is about says the input run again by itself.
FUZZ_RUN = ASAN_OPTIONS=quarantine_size_mb=1:thread_local_quarantine_size_kb=64$\
	:malloc_context_size=0:max_malloc_fill_size=64 build/fuzz-clang/fuzz_$*

fuzz: $(addprefix fuzz-,$(or $(T),$(FUZZERS)))

fuzz-%: setup-fuzz
	$(Q)$(MAKE) --no-print-directory SETUP=$(SETUP) MODE=fuzz CC=clang \
		build/fuzz-clang/fuzz_$*
	$(Q)mkdir -p build/corpus/$* tests/fuzz/corpus/$* tests/fuzz/regress/$*
	$(Q)$(FUZZ_RUN) $(FUZZ_FLAGS) -max_total_time=$(S) \
		-artifact_prefix=tests/fuzz/regress/$*/ build/corpus/$* \
		tests/fuzz/corpus/$*

# After it: the few of the new inputs that reach what those in the tree do not.
corpus-%: setup-fuzz
	$(Q)$(FUZZ_RUN) $(FUZZ_FLAGS) -merge=1 tests/fuzz/corpus/$* \
		build/corpus/$*

FORMAT := $(wildcard include/*/*.h guest/*.[ch] src/*.[ch] src/*/*.[ch] \
	tests/*/*.[ch] tests/*/*/*.[ch])
SCRIPTS = $(shell grep -rIlE '^\#(!/bin/(ba)?sh|.*shellcheck shell=)' .ci tools \
	tests)
SUBMAKE = $(MAKE) --no-print-directory SETUP=$(SETUP)
# Layout and rules; both compilers with their warnings as errors and clang's
# thread roles; then what looks deeper: at what has changed, where it can tell.
lint: setup-lint
	$(Q)clang-format --dry-run --Werror $(FORMAT)
	$(Q)tools/check-includes
	$(Q)shellcheck $(SCRIPTS)
	$(Q)+$(SUBMAKE) CC=gcc objects
	$(Q)+$(SUBMAKE) CC=clang CFLAGS="-Wthread-safety $(CFLAGS)" objects tidy
	$(Q)+$(SUBMAKE) CC=gcc MODE=dbg objects
	$(Q)+$(SUBMAKE) CC=gcc MODE=analyze sources
	$(Q)mkdir -p build/cppcheck
	$(Q)cppcheck -q --error-exitcode=1 --cppcheck-build-dir=build/cppcheck \
		--enable=warning,performance,portability --std=c11 --inline-suppr \
		--suppressions-list=tools/cppcheck.supp $(CPPFLAGS) src guest
	$(Q)tools/check-tailcalls build/rel/src/interp/fast*.o
	@echo "lint: clean"

.PHONY: objects sources tidy
sources: $(OBJ)
objects: $(OBJ) $(UNITOBJ) $(REPLAYOBJ) $(DIFFOBJ) $(INJECT).o $B/tests/bench/devpath.o \
	$B/tests/bench/jailcost.o $B/tests/bench/filter.o \
	$B/tests/ceph/rbdio.o
tidy: $(SRC:%.c=$B/%.tidy) $(GUEST:%.c=$B/%.tidy)

# Against the C library that it is built with.
$B/guest/%.tidy: guest/%.c $B/guest/init .clang-tidy
	@echo "  TIDY  $<"
	$(Q)mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- -Iinclude -D_GNU_SOURCE -std=gnu17 $(WARN) \
		-Wconversion -nostdlibinc -isystem $(MUSL) 2>$@.err || \
		{ cat $@.err; false; }
	$(Q)touch $@

# Again when the object is: it knows the headers.
$B/%.tidy: $B/%.o .clang-tidy
	@echo "  TIDY  $*.c"
	$(Q)clang-tidy --quiet $*.c -- $(CPPFLAGS) -std=gnu17 2>$@.err || \
		{ cat $@.err; false; }
	$(Q)touch $@

format: setup-lint
	$(Q)clang-format -i $(FORMAT)

# Lines that unit tests and the inputs of the fuzz targets run. Code that a
# guest or a file of unknown origin reaches has a floor.
COV_FLOOR := 90
COV_DIRS := src/virtio src/loader src/config
GCOVR := gcovr -r . --gcov-ignore-parse-errors --object-directory build/cov
cov: setup-cov setup-check
	$(Q)$(MAKE) --no-print-directory MODE=cov build/cov/unit build/cov/replay
	$(Q)find build/cov -name '*.gcda' -delete
	$(Q)CK_TIMEOUT_MULTIPLIER=10 build/cov/unit
	$(Q)build/cov/replay
	$(Q)$(GCOVR) --filter src/ --branches -o build/cov/report.txt && \
		cat build/cov/report.txt
	$(Q)failed=0; for dir in $(COV_DIRS); do \
		echo "== $$dir, at least $(COV_FLOOR) % of lines"; \
		$(GCOVR) --filter $$dir/ -s -o build/cov/part.txt \
			--fail-under-line $(COV_FLOOR) || failed=1; \
	done; exit $$failed

SHARE := $(DESTDIR)$(PREFIX)/share
install: all
	install -D -m 755 $B/mote $(DESTDIR)$(PREFIX)/bin/mote
	install -D -m 644 dist/mote.1 $(SHARE)/man/man1/mote.1
	install -D -m 644 dist/mote.bash $(SHARE)/bash-completion/completions/mote
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|' dist/mote@.service.in \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/mote@.service

clean:
	rm -rf build mote

-include $(DEP)
