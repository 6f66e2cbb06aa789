/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The check table, generated from controls.def, host.def and guest.def: a predicate function and a
 * row for each.
 */
#include "shadow/checks/checks.h"

#include <stddef.h>

#include "shadow/checks/predicates.h"

#define GUEST_CHECK(name, qualification, title, rule, fields, holds)                               \
	CHECK(name, title, rule, fields, holds)

#define CHECK(name, title, rule, fields, expression)                                               \
	static bool holds_##name(const struct vmx_check_env *env)                                  \
	{                                                                                          \
		return expression;                                                                 \
	}
#include "shadow/checks/controls.def"
#include "shadow/checks/host.def"
#include "shadow/checks/guest.def"
#undef CHECK
#undef GUEST_CHECK
#undef FIELD

#define I(field) (VMCS_INDEX_##field + 1)
#define F1(a) {I(a)}
#define F2(a, b) {I(a), I(b)}
#define F3(a, b, c) {I(a), I(b), I(c)}
#define F4(a, b, c, d) {I(a), I(b), I(c), I(d)}
_Static_assert(VMCS_FIELD_COUNT < UINT8_MAX, "field indices fit the row");

#define ROW(group_, name_, qualification_, title, rule_, fields_)                                  \
	{.name = #name_,                                                                           \
	 .sdm = title,                                                                             \
	 .rule = rule_,                                                                            \
	 .group = VMX_CHECK_##group_,                                                              \
	 .qualification = qualification_,                                                          \
	 .holds = holds_##name_,                                                                   \
	 .fields = fields_},

const struct vmx_check vmx_checks[] = {
#define CHECK(name, title, rule, fields, holds) ROW(CONTROLS, name, 0, title, rule, P(fields))
#define P(...) __VA_ARGS__
#include "shadow/checks/controls.def"
#undef CHECK
#define CHECK(name, title, rule, fields, holds) ROW(HOST, name, 0, title, rule, P(fields))
#include "shadow/checks/host.def"
#undef CHECK
#define CHECK(name, title, rule, fields, holds) ROW(GUEST, name, 0, title, rule, P(fields))
#define GUEST_CHECK(name, qualification, title, rule, fields, holds)                               \
	ROW(GUEST, name, qualification, title, rule, P(fields))
#include "shadow/checks/guest.def"
};

const unsigned vmx_check_count = sizeof(vmx_checks) / sizeof(vmx_checks[0]);

const struct vmx_check *vmx_checks_run(enum vmx_check_group group, const struct vmx_check_env *env)
{
	for (unsigned i = 0; i < vmx_check_count; i++)
		if (vmx_checks[i].group == group && !vmx_checks[i].holds(env))
			return &vmx_checks[i];
	return NULL;
}
