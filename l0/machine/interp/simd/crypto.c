/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernels of AES, PCLMULQDQ and SHA: FIPS 197 (the S-box is computed from its definition), FIPS
 * 180-4.
 */
#include "l0/machine/interp/simd/simd.h"

/* ---- carry-less multiplication ---- */

void simd_pclmulqdq(struct simd *s)
{
	uint64_t a = s->d.q[s->imm & 1], b = s->s.q[s->imm >> 4 & 1];
	unsigned __int128 product = 0;

	for (unsigned i = 0; i < 64; i++)
		if (b >> i & 1)
			product ^= (unsigned __int128)a << i;
	s->d.q[0] = (uint64_t)product;
	s->d.q[1] = (uint64_t)(product >> 64);
}

/* ---- AES ---- */

static uint8_t times(uint8_t a, uint8_t b)
{
	uint8_t product = 0;

	for (; b; b >>= 1) {
		if (b & 1)
			product ^= a;
		a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1b : 0));
	}
	return product;
}

static uint8_t rotate(uint8_t value, unsigned count)
{
	return (uint8_t)(value << count | value >> (8 - count));
}

/* a^254: the inverse, and 0 for 0. */
static uint8_t inverse(uint8_t a)
{
	uint8_t result = 1;

	for (unsigned i = 0; i < 7; i++) {
		a = times(a, a);
		result = times(result, a);
	}
	return result;
}

static uint8_t substitute(uint8_t byte)
{
	uint8_t i = inverse(byte);

	return (uint8_t)(i ^ rotate(i, 1) ^ rotate(i, 2) ^ rotate(i, 3) ^ rotate(i, 4) ^ 0x63);
}

static uint8_t substitute_back(uint8_t byte)
{
	return inverse((uint8_t)(rotate(byte, 1) ^ rotate(byte, 3) ^ rotate(byte, 6) ^ 0x05));
}

/* Rows are the bytes at the same place of each column; row r moves by r columns. */
static void shift_rows(union vec *v, unsigned step)
{
	union vec old = *v;

	for (unsigned i = 0; i < 16; i++)
		v->b[i] = old.b[(i + step * (i & 3)) & 15];
}

static void mix_columns(union vec *v, const uint8_t coefficients[4])
{
	union vec old = *v;

	for (unsigned i = 0; i < 16; i++) {
		uint8_t sum = 0;

		for (unsigned k = 0; k < 4; k++)
			sum ^= times(old.b[(i & 12) + k], coefficients[(k - i) & 3]);
		v->b[i] = sum;
	}
}

static const uint8_t mix[4] = {2, 3, 1, 1}, mix_back[4] = {14, 11, 13, 9};

static void encrypt(struct simd *s, bool last)
{
	shift_rows(&s->d, 4);
	for (unsigned i = 0; i < 16; i++)
		s->d.b[i] = substitute(s->d.b[i]);
	if (!last)
		mix_columns(&s->d, mix);
	s->d.q[0] ^= s->s.q[0];
	s->d.q[1] ^= s->s.q[1];
}

static void decrypt(struct simd *s, bool last)
{
	shift_rows(&s->d, 12);
	for (unsigned i = 0; i < 16; i++)
		s->d.b[i] = substitute_back(s->d.b[i]);
	if (!last)
		mix_columns(&s->d, mix_back);
	s->d.q[0] ^= s->s.q[0];
	s->d.q[1] ^= s->s.q[1];
}

void simd_aesenc(struct simd *s)
{
	encrypt(s, false);
}

void simd_aesenclast(struct simd *s)
{
	encrypt(s, true);
}

void simd_aesdec(struct simd *s)
{
	decrypt(s, false);
}

void simd_aesdeclast(struct simd *s)
{
	decrypt(s, true);
}

void simd_aesimc(struct simd *s)
{
	s->d = s->s;
	mix_columns(&s->d, mix_back);
}

void simd_aeskeygenassist(struct simd *s)
{
	for (unsigned i = 0; i < 4; i += 2) {
		uint32_t word = 0;

		for (unsigned k = 0; k < 4; k++)
			word |= (uint32_t)substitute(s->s.b[4 * (i + 1) + k]) << 8 * k;
		s->d.d[i] = word;
		s->d.d[i + 1] = (word >> 8 | word << 24) ^ s->imm;
	}
}

/* ---- SHA ---- */

static uint32_t rol(uint32_t value, unsigned count)
{
	return value << count | value >> (32 - count);
}

static uint32_t ror(uint32_t value, unsigned count)
{
	return rol(value, 32 - count);
}

static uint32_t choose(uint32_t x, uint32_t y, uint32_t z)
{
	return (x & y) ^ (~x & z);
}

static uint32_t majority(uint32_t x, uint32_t y, uint32_t z)
{
	return (x & y) ^ (x & z) ^ (y & z);
}

static uint32_t round_function(unsigned function, uint32_t b, uint32_t c, uint32_t d)
{
	if (function == 0)
		return choose(b, c, d);
	return function == 2 ? majority(b, c, d) : b ^ c ^ d;
}

/* Four rounds; the highest element is A, and the first of the message with E added. */
void simd_sha1rnds4(struct simd *s)
{
	static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
	unsigned function = s->imm & 3;
	uint32_t a = s->d.d[3], b = s->d.d[2], c = s->d.d[1], d = s->d.d[0], e = 0;

	for (unsigned i = 0; i < 4; i++) {
		uint32_t next = round_function(function, b, c, d) + rol(a, 5) + s->s.d[3 - i] + e +
				constants[function];

		e = d;
		d = c;
		c = rol(b, 30);
		b = a;
		a = next;
	}
	s->d = (union vec){.d = {d, c, b, a}};
}

void simd_sha1nexte(struct simd *s)
{
	uint32_t e = rol(s->d.d[3], 30);

	s->d = s->s;
	s->d.d[3] += e;
}

void simd_sha1msg1(struct simd *s)
{
	s->d = (union vec){.d = {s->d.d[0] ^ s->s.d[2], s->d.d[1] ^ s->s.d[3],
				 s->d.d[2] ^ s->d.d[0], s->d.d[3] ^ s->d.d[1]}};
}

void simd_sha1msg2(struct simd *s)
{
	uint32_t w16 = rol(s->d.d[3] ^ s->s.d[2], 1);

	s->d = (union vec){.d = {rol(s->d.d[0] ^ w16, 1), rol(s->d.d[1] ^ s->s.d[0], 1),
				 rol(s->d.d[2] ^ s->s.d[1], 1), w16}};
}

/* Two rounds: d holds C D G H from the top, s A B E F; XMM0 the message with the constants added.
 */
void simd_sha256rnds2(struct simd *s)
{
	const union vec *message = &s->t;
	uint32_t a = s->s.d[3], b = s->s.d[2], c = s->d.d[3], d = s->d.d[2], e = s->s.d[1],
		 f = s->s.d[0], g = s->d.d[1], h = s->d.d[0];

	for (unsigned i = 0; i < 2; i++) {
		uint32_t t1 =
		    h + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + choose(e, f, g) + message->d[i];
		uint32_t t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + majority(a, b, c);

		h = g;
		g = f;
		f = e;
		e = d + t1;
		d = c;
		c = b;
		b = a;
		a = t1 + t2;
	}
	s->d = (union vec){.d = {f, e, b, a}};
}

static uint32_t sigma0(uint32_t x)
{
	return ror(x, 7) ^ ror(x, 18) ^ x >> 3;
}

static uint32_t sigma1(uint32_t x)
{
	return ror(x, 17) ^ ror(x, 19) ^ x >> 10;
}

void simd_sha256msg1(struct simd *s)
{
	for (unsigned i = 0; i < 4; i++)
		s->d.d[i] += sigma0(i < 3 ? s->d.d[i + 1] : s->s.d[0]);
}

void simd_sha256msg2(struct simd *s)
{
	s->d.d[0] += sigma1(s->s.d[2]);
	s->d.d[1] += sigma1(s->s.d[3]);
	s->d.d[2] += sigma1(s->d.d[0]);
	s->d.d[3] += sigma1(s->d.d[1]);
}
