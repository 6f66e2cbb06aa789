/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The machine's own trap-log records: one for each exit, priced until the next entry, none lost.
 */
#include "tests/l0/machine/interp/vmx/fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "traces/machine_log.h"

static const char *path;

static void open_log(struct fixture *f)
{
	char error[128];

	f->machine.log = trap_log_create(path, MACHINE_HZ, error, sizeof(error));
	assert_non_null(f->machine.log);
}

/* Closes the log and reads its records; returns how many there are. */
static unsigned close_log(struct fixture *f, struct trap_record *records, unsigned max)
{
	struct trap_log_block_header block;
	char error[128];
	unsigned count;
	FILE *file;

	assert_true(trap_log_close(f->machine.log, error, sizeof(error)));
	f->machine.log = NULL;
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fseek(file, sizeof(struct trap_log_file_header), SEEK_SET), 0);
	assert_int_equal(fread(&block, sizeof(block), 1, file), 1);
	assert_int_equal(block.stream, TRAP_LOG_MACHINE);
	assert_true(block.count <= max);
	count = (unsigned)fread(records, sizeof(*records), block.count, file);
	assert_int_equal(count, block.count);
	fclose(file);
	return count;
}

static void test_records(void **state)
{
	struct trap_record records[4];
	struct fixture f;
	uint64_t start;

	start_vmx(&f);
	open_log(&f);
	enter(&f);
	start = cpu_now(f.cpu);
	cpu_charge(f.cpu, 10);
	f.cpu->insns += 3;
	EXITS(&f, vmx_exit_ept_violation(f.cpu, 0x1234, 0, false, EPT_QUAL_WRITE));
	f.cpu->op = NULL;
	cpu_charge(f.cpu, 500);
	f.cpu->insns += 7;
	enter(&f);
	EXITS(&f, vmx_exit(f.cpu, EXIT_REASON_CPUID, 0));
	f.cpu->op = NULL;
	vmx_finish(f.cpu); /* the run ends in the host */
	assert_int_equal(close_log(&f, records, 4), 2);
	assert_int_equal(records[0].reason, EXIT_REASON_EPT_VIOLATION);
	assert_int_equal(records[0].qualification, EPT_QUAL_WRITE);
	assert_int_equal(records[0].gpa, 0x1234);
	assert_int_equal(records[0].flags, TRAP_GPA_VALID);
	assert_int_equal(records[0].rip, GUEST_ENTRY);
	assert_int_equal(records[0].path, TRAP_PATH_MACHINE);
	assert_int_equal(records[0].cycles_at, start + 10);
	assert_int_equal(records[0].insns, 7 + 1); /* and VMRESUME */
	assert_true(records[0].cycles > 500); /* and the transitions */
	assert_int_equal(records[1].reason, EXIT_REASON_CPUID);
	assert_int_equal(records[1].insn_length, 4);
	stop(&f);
}

static void test_vmread_records_its_field(void **state)
{
	struct trap_record record;
	struct fixture f;

	start_vmx(&f);
	open_log(&f);
	enter(&f);
	f.cpu->gpr[REG_RAX] = VMCS_GUEST_RIP;
	call(&f, insn_vmread);
	vmx_finish(f.cpu);
	assert_int_equal(close_log(&f, &record, 1), 1);
	assert_int_equal(record.reason, EXIT_REASON_VMREAD);
	assert_int_equal(record.insn_info, VMCS_GUEST_RIP);
	stop(&f);
}

static void test_failed_entry(void **state)
{
	struct trap_record record;
	struct fixture f;

	start_vmx(&f);
	open_log(&f);
	SET(&f, GUEST_RFLAGS, 0);
	call(&f, insn_vmlaunch);
	vmx_finish(f.cpu);
	assert_int_equal(close_log(&f, &record, 1), 1);
	assert_int_equal(record.reason,
			 EXIT_REASON_ENTRY_FAILURE_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE);
	assert_true(record.flags & TRAP_ENTRY_FAILED);
	stop(&f);
}

int main(void)
{
	char template[] = "/tmp/abyme-test-log-XXXXXX";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_vmread_records_its_field),
		cmocka_unit_test(test_failed_entry),
	};
	int fd = mkstemp(template), failures;

	if (fd < 0)
		return 1;
	close(fd);
	path = template;
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(template);
	return failures;
}
