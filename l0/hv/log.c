/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One block of records in memory, sent when full or when the run may end. Causes: an exit of L1
 * belongs to the L2 exit that L1 is handling, from the reflection to L1's next entry of L2.
 */
#include "l0/hv/log.h"

#include "l0/hv/hw.h"
#include "traces/format/trap_log.h"

#define LOG_RECORDS 50
#define REPORTED 10
#define FIXED_COUNTER_0 BIT32(30) /* SDM 2B "RDPMC": counter type 0x4000 */
#define FIXED_CTR0_ALL UINT64_C(3) /* count at every privilege level */
#define GLOBAL_CTRL_FIXED0 BIT64(32)

bool log_on;

static struct {
	struct trap_log_block_header header;
	struct trap_record records[LOG_RECORDS];
} block;

static struct {
	uint64_t sequence;  /* of the next record */
	uint64_t reflected; /* sequence of the L2 exit that L1 is handling, or TRAP_NO_CAUSE */
	bool counts_insns, was_l2;
	bool open; /* a record waits for the guest to go on */
} state = {.reflected = TRAP_NO_CAUSE};

static bool start_counter(void)
{
	struct cpuid_regs r;

	if (hw_cpuid(0, 0).eax < 0xa)
		return false;
	r = hw_cpuid(0xa, 0);
	if ((r.eax & 0xff) < 2 || !(r.edx & 0x1f))
		return false;
	hw_wrmsr(MSR_IA32_FIXED_CTR_CTRL, hw_rdmsr(MSR_IA32_FIXED_CTR_CTRL) | FIXED_CTR0_ALL);
	hw_wrmsr(MSR_IA32_PERF_GLOBAL_CTRL,
		 hw_rdmsr(MSR_IA32_PERF_GLOBAL_CTRL) | GLOBAL_CTRL_FIXED0);
	return true;
}

static uint64_t insns(void)
{
	return state.counts_insns ? hw_rdpmc(FIXED_COUNTER_0) : 0;
}

bool log_start(void)
{
	if (hw_in32(LOG_PORT) != LOG_MAGIC)
		return false;
	state.counts_insns = start_counter();
	block.header = (struct trap_log_block_header){
		.magic = TRAP_LOG_BLOCK_MAGIC,
		.stream = (uint16_t)hv.machine.level,
		.version = TRAP_LOG_VERSION,
		.record_size = sizeof(struct trap_record),
	};
	log_on = true;
	return true;
}

void log_flush(void)
{
	uint64_t size = sizeof(block.header) + block.header.count * sizeof(block.records[0]);

	if (!log_on || !block.header.count)
		return;
	hw_out32(LOG_PORT, LOG_BEGIN);
	hw_outs32(LOG_PORT + 4, &block, size / 4);
	hw_out32(LOG_PORT, LOG_END);
	block.header.sequence += block.header.count;
	block.header.count = 0;
}

static bool has_gpa(uint32_t basic)
{
	return basic == EXIT_REASON_EPT_VIOLATION || basic == EXIT_REASON_EPT_MISCONFIGURATION;
}

void log_exit(struct vcpu *vcpu, uint32_t reason)
{
	struct trap_record *r = &block.records[block.header.count];
	uint32_t basic = reason & EXIT_REASON_BASIC;

	state.open = true;
	state.was_l2 = vcpu->shadow.in_l2;
	*r = (struct trap_record){
		.sequence = state.sequence++,
		.cause = state.was_l2 ? TRAP_NO_CAUSE : state.reflected,
		.insns_at = insns(),
		.cycles_at = hw_rdtsc(),
		.qualification = hw_vmread(VMCS_EXIT_QUALIFICATION),
		.rip = hw_vmread(VMCS_GUEST_RIP),
		.gpa = has_gpa(basic) ? hw_vmread(VMCS_GUEST_PHYSICAL_ADDRESS) : 0,
		.flags = (has_gpa(basic) ? TRAP_GPA_VALID : 0) |
			 (reason & EXIT_REASON_ENTRY_FAILURE ? TRAP_ENTRY_FAILED : 0),
		.reason = reason,
		.insn_info = (uint32_t)hw_vmread(VMCS_EXIT_INSTRUCTION_INFO),
		.interruption = (uint32_t)hw_vmread(VMCS_EXIT_INTERRUPTION_INFO),
		.insn_length = (uint8_t)hw_vmread(VMCS_EXIT_INSTRUCTION_LENGTH),
	};
}

static uint32_t saturate(uint64_t value)
{
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static void set_path(struct trap_record *r, bool in_l2)
{
	bool enters = r->reason == EXIT_REASON_VMLAUNCH || r->reason == EXIT_REASON_VMRESUME;

	r->path = !state.was_l2 ? TRAP_PATH_101 : in_l2 ? TRAP_PATH_202 : TRAP_PATH_201;
	if (!state.was_l2 && in_l2 && enters)
		r->flags |= TRAP_FIRST_ENTRY;
	if (r->path == TRAP_PATH_201)
		state.reflected = r->sequence;
	else if (in_l2)
		state.reflected = TRAP_NO_CAUSE;
}

void log_resume(struct vcpu *vcpu)
{
	struct trap_record *r = &block.records[block.header.count];

	if (!state.open)
		return;
	state.open = false;
	set_path(r, vcpu->shadow.in_l2);
	if (r->path == TRAP_PATH_101 &&
	    (r->reason == EXIT_REASON_VMREAD || r->reason == EXIT_REASON_VMWRITE))
		r->insn_info = vcpu->shadow.insn_field;
	r->cycles = saturate(hw_rdtsc() - r->cycles_at);
	r->insns = saturate(insns() - r->insns_at);
	if (++block.header.count == LOG_RECORDS)
		log_flush();
}

void log_end(struct vcpu *vcpu)
{
	if (!log_on)
		return;
	log_resume(vcpu);
	log_flush();
}

void log_report(void)
{
	unsigned count = block.header.count + 1;

	if (!log_on)
		return;
	if (count > LOG_RECORDS)
		count = LOG_RECORDS;
	for (unsigned i = count > REPORTED ? count - REPORTED : 0; i < count; i++) {
		const struct trap_record *r = &block.records[i];
		const char *name = vmx_exit_reason_name(r->reason & EXIT_REASON_BASIC);

		console_print("  exit %lu path %u %s rip %lx qualification %lx\n", r->sequence,
			      r->path, name ? name : "?", r->rip, r->qualification);
	}
}
