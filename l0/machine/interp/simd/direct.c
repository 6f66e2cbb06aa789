/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which rows have a direct form.
 */
#include "l0/machine/interp/simd/direct.h"

static bool is(const struct simd_operand *operand, enum simd_file file, enum simd_place place)
{
	return operand->file == file && operand->place == place;
}

/* The shape of the row's operands; false: none of those that direct forms come in. */
static bool shape_of(const struct simd_info *simd, enum direct_shape *shape)
{
	static const struct {
		enum simd_file dest_file, source_file;
		enum simd_place dest_place, source_place;
		enum direct_shape shape;
	} shapes[] = {
		{FILE_XMM, FILE_XMM, IN_REG, IN_RM, SHAPE_XMM_RM},
		{FILE_XMM, FILE_XMM, IN_RM, IN_REG, SHAPE_RM_XMM},
		{FILE_XMM, FILE_GENERAL, IN_REG, IN_RM, SHAPE_XMM_GENERAL},
		{FILE_GENERAL, FILE_XMM, IN_RM, IN_REG, SHAPE_RM_GENERAL},
		{FILE_GENERAL, FILE_XMM, IN_REG, IN_RM, SHAPE_GENERAL_RM},
		{FILE_XMM, FILE_IMMEDIATE, IN_RM, IN_REG, SHAPE_IMMEDIATE},
	};

	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (is(&simd->dest, shapes[i].dest_file, shapes[i].dest_place) &&
		    is(&simd->second, shapes[i].source_file, shapes[i].source_place)) {
			*shape = shapes[i].shape;
			return true;
		}
	return false;
}

static const struct simd_operand *rm_operand(const struct simd_info *simd)
{
	return simd->dest.place == IN_RM ? &simd->dest : &simd->second;
}

const struct simd_direct *simd_direct_find(const struct simd_info *simd)
{
	static const struct simd_direct *const tables[] = {simd_direct_integer, simd_direct_move,
							   simd_direct_float};
	const struct simd_operand *rm = rm_operand(simd);
	enum direct_shape shape;

	if (simd->vex || simd->mmx || simd->third.file || !shape_of(simd, &shape))
		return NULL;
	for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct simd_direct *direct = tables[i]; direct->kernel; direct++)
			if (direct->kernel == simd->kernel && direct->shape == shape &&
			    direct->size == rm->size && direct->aligned == rm->aligned)
				return direct;
	return NULL;
}
