/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CRC-32C, eight bytes at a step. Hypervisors leave checksums to whoever writes the file, so this
 * is hosted code and its tables are made at first use.
 */
#include "traces/format/trap_log.h"

#define POLYNOMIAL UINT32_C(0x82f63b78) /* reflected */

/* table[k][i]: what byte i does to the CRC when k further bytes of zeros follow it. */
static uint32_t table[8][256];

static void make_tables(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][i] = crc;
	}
	for (unsigned k = 1; k < 8; k++)
		for (uint32_t i = 0; i < 256; i++)
			table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 0xff];
}

static uint32_t load32(const uint8_t *byte)
{
	return byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 | (uint32_t)byte[3] << 24;
}

uint32_t trap_log_crc32c(uint32_t crc, const void *data, uint64_t length)
{
	const uint8_t *byte = data;

	if (!table[0][1])
		make_tables();
	crc = ~crc;
	for (; length >= 8; length -= 8, byte += 8) {
		uint32_t low = crc ^ load32(byte), high = load32(byte + 4);

		crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^
		      table[5][low >> 16 & 0xff] ^ table[4][low >> 24] ^ table[3][high & 0xff] ^
		      table[2][high >> 8 & 0xff] ^ table[1][high >> 16 & 0xff] ^
		      table[0][high >> 24];
	}
	while (length--)
		crc = crc >> 8 ^ table[0][(crc ^ *byte++) & 0xff];
	return ~crc;
}
