/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The stub's parts: packets as they come, damaged ones too, registers by number, VMX instructions
 * by their bytes, breakpoints and watchpoints on a machine whose CPU is a fake.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "l0/machine/gdb/private.h"

#define CODE UINT64_C(0x1000)
#define DATA UINT64_C(0x2000)

static struct machine machine;
static struct gdb *gdb;
static struct context now;
static uint64_t retired;
static int debugger;

static void fake_stats(struct cpu *cpu, struct cpu_stats *stats)
{
	stats->instructions = retired;
}

static void fake_context(const struct cpu *cpu, struct context *context)
{
	*context = now;
}

static bool fake_set_context(struct cpu *cpu, const struct context *context)
{
	now = *context;
	return true;
}

static const struct cpu_ops fake_ops = {
	.stats = fake_stats, .context = fake_context, .set_context = fake_set_context};

static int setup(void **state)
{
	int ends[2];

	memset(&machine, 0, sizeof(machine));
	machine.cpu_ops = &fake_ops;
	gdb = calloc(1, sizeof(*gdb));
	if (!gdb || !memory_init(&machine.memory, 1 << 20) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return -1;
	gdb->machine = &machine;
	gdb->socket = ends[0];
	gdb->acknowledge = true;
	gdb->selected = gdb->break_level = GDB_ANY;
	gdb->resumed_at = UINT64_MAX;
	debugger = ends[1];
	now = (struct context){.gpr_known = true, .rip = CODE, .efer = EFER_LMA | EFER_LME};
	now.seg[SEG_CS].ar = AR_L;
	return 0;
}

static int teardown(void **state)
{
	if (gdb->socket >= 0)
		close(gdb->socket);
	if (debugger >= 0)
		close(debugger);
	free(gdb);
	memory_free(&machine.memory);
	return 0;
}

static void sends(const char *text)
{
	assert_int_equal(write(debugger, text, strlen(text)), strlen(text));
}

/* "$text#sum" */
static void asks(const char *text)
{
	char packet[300];
	uint8_t sum = 0;

	for (const char *p = text; *p; p++)
		sum += (uint8_t)*p;
	snprintf(packet, sizeof(packet), "$%s#%02x", text, sum);
	sends(packet);
}

static void gets(const char *expected)
{
	char got[4096] = "";
	ssize_t length = read(debugger, got, sizeof(got) - 1);

	assert_true(length >= 0);
	if (!strstr(got, expected))
		fail_msg("`%s` is not in `%s`", expected, got);
}

static void packets(void **state)
{
	sends("+noise$g#67");
	assert_true(gdb_receive(gdb));
	assert_string_equal(gdb->in, "g");
	gets("+");
	sends("$g#00$m1,2#fc");
	assert_true(gdb_receive(gdb));
	assert_string_equal(gdb->in, "m1,2");
	gets("-+");
}

static void hostile_packets(void **state)
{
	char *long_packet = malloc(2 * GDB_PACKET);

	memset(long_packet, 'a', 2 * GDB_PACKET);
	*long_packet = '$';
	assert_true(write(debugger, long_packet, 2 * GDB_PACKET) > GDB_PACKET);
	free(long_packet);
	assert_false(gdb_receive(gdb));
	assert_int_equal(gdb->socket, -1);
}

static void debugger_gone(void **state)
{
	sends("$g#6");
	close(debugger);
	debugger = -1;
	assert_false(gdb_receive(gdb));
}

/* A whole conversation; the last word lets the machine go on. */
static void conversation(void **state)
{
	char text[40];

	now.gpr[REG_RBX] = 0x1122;
	asks("p1");
	asks("P1=7766000000000000");
	asks("m2000,4");
	asks("M2000,2:abcd");
	asks("mffffffffff,4");
	asks("Z0,1000,1");
	asks("P1");
	asks("X");
	asks("c");
	gdb_serve(gdb);
	gets("$2211000000000000#");
	assert_int_equal(now.gpr[REG_RBX], 0x6677);
	assert_int_equal(gdb->break_count, 1);
	assert_true(memory_read(&machine.memory, DATA, text, 2));
	assert_memory_equal(text, "\xab\xcd", 2);
	assert_true(gdb->changed && !gdb->stopped);
}

static void breakpoints(void **state)
{
	assert_false(gdb_should_stop(gdb));
	assert_true(gdb_break_insert(gdb, CODE));
	assert_true(gdb_should_stop(gdb));
	gdb->break_level = 1;
	assert_false(gdb_should_stop(gdb));
	gdb->break_level = 0;
	assert_true(gdb_should_stop(gdb));
	gdb->resumed_at = retired; /* where it was let go, it does not stop again */
	assert_false(gdb_should_stop(gdb));
	retired++;
	assert_true(gdb_should_stop(gdb));
	gdb_break_remove(gdb, CODE);
	assert_false(gdb_should_stop(gdb));
	for (unsigned i = 0; i < GDB_BREAKS; i++)
		assert_true(gdb_break_insert(gdb, 0x10000 + i));
	assert_false(gdb_break_insert(gdb, 0x9999));
}

static void watchpoints(void **state)
{
	uint32_t value = 5;

	assert_true(gdb_watch_insert(gdb, DATA, 4));
	assert_false(gdb_watch_insert(gdb, DATA, 9));
	assert_false(gdb_watch_insert(gdb, DATA + 0xffe, 4));
	assert_false(gdb_watch_insert(gdb, UINT64_C(1) << 40, 4));
	assert_false(gdb_should_stop(gdb));
	assert_true(memory_write(&machine.memory, DATA, &value, 4));
	assert_true(gdb_should_stop(gdb));
	assert_non_null(strstr(gdb->stop, "watch:2000"));
	assert_false(gdb_should_stop(gdb));
}

static void vmx_insns(void **state)
{
	static const struct {
		const char *bytes, *name;
	} insns[] = {
		{"\x0f\x01\xc2", "VMLAUNCH"},	   {"\x0f\x78\xc8", "VMREAD"},
		{"\x41\x0f\x79\x07", "VMWRITE"},   {"\x66\x0f\xc7\x30", "VMCLEAR"},
		{"\xf3\x48\x0f\xc7\x34\x24", "VMXON"}, {"\x0f\xc7\x30", "VMPTRLD"},
		{"\x66\x0f\x38\x80\x06", "INVEPT"}, {"\x0f\xc7\xf0", NULL}, /* RDRAND */
		{"\x0f\xc7\x08", NULL},		   /* CMPXCHG8B */
		{"\x0f\x01\xd0", NULL},		   /* XGETBV */
		{"\x90\x0f\x01\xc2", NULL},
	};

	for (unsigned i = 0; i < sizeof(insns) / sizeof(insns[0]); i++) {
		uint8_t code[15] = {0};

		memcpy(code, insns[i].bytes, strlen(insns[i].bytes));
		assert_true(memory_write(&machine.memory, CODE, code, sizeof(code)));
		int row = gdb_vmx_insn(gdb, &now);

		if (!insns[i].name)
			assert_int_equal(row, -1);
		else
			assert_string_equal(gdb_vmx_insn_name((unsigned)row), insns[i].name);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packets),	   TEST(hostile_packets), TEST(debugger_gone), TEST(conversation),
		TEST(breakpoints), TEST(watchpoints),	  TEST(vmx_insns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
