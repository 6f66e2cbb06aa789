/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Packets of the remote serial protocol: $data#checksum, with + and - as acknowledgement until the
 * debugger does without. GDB manual "Packets".
 */
#include "l0/machine/gdb/private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INTERRUPT_BYTE 3

static void hang_up(struct gdb *gdb)
{
	if (gdb->socket >= 0)
		close(gdb->socket);
	gdb->socket = -1;
}

static void send_bytes(struct gdb *gdb, const char *data, size_t length)
{
	while (length && gdb->socket >= 0) {
		ssize_t sent = send(gdb->socket, data, length, MSG_NOSIGNAL);

		if (sent > 0) {
			data += sent;
			length -= (size_t)sent;
		} else if (errno != EINTR) {
			hang_up(gdb);
		}
	}
}

/* The next byte; -1: the debugger has gone. */
static int next_byte(struct gdb *gdb)
{
	while (gdb->input_at == gdb->input_end) {
		ssize_t got = gdb->socket < 0 ? 0 :
				recv(gdb->socket, gdb->input, sizeof(gdb->input), 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			hang_up(gdb);
			return -1;
		}
		gdb->input_at = 0;
		gdb->input_end = (size_t)got;
	}
	return (unsigned char)gdb->input[gdb->input_at++];
}

bool gdb_interrupted(struct gdb *gdb)
{
	char byte;

	/* The signal tells of packets that have been read by now as well. */
	if (!gdb->interrupt)
		return false;
	gdb->interrupt = false;
	if (gdb->input_at == gdb->input_end &&
	    recv(gdb->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
		return false;
	snprintf(gdb->stop, sizeof(gdb->stop), "T02thread:%x;",
		 context_current_level(gdb->machine) + 1);
	return true;
}

static int hex_digit(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The data up to '#' into gdb->in. False: gone, or too long. */
static bool receive_data(struct gdb *gdb, uint8_t *sum)
{
	int c;

	gdb->in_length = 0;
	*sum = 0;
	while ((c = next_byte(gdb)) >= 0 && c != '#') {
		*sum += (uint8_t)c;
		if (c == '}') { /* escaped */
			c = next_byte(gdb);
			*sum += (uint8_t)c;
			c ^= 0x20;
		}
		if (gdb->in_length == GDB_PACKET) {
			hang_up(gdb);
			return false;
		}
		gdb->in[gdb->in_length++] = (char)c;
	}
	gdb->in[gdb->in_length] = '\0';
	return c >= 0;
}

bool gdb_receive(struct gdb *gdb)
{
	uint8_t sum;
	int c;

	for (;;) {
		do
			c = next_byte(gdb);
		while (c >= 0 && c != '$' && c != INTERRUPT_BYTE);
		if (c < 0)
			return false;
		if (c == INTERRUPT_BYTE)
			continue; /* it is stopped already */
		if (!receive_data(gdb, &sum))
			return false;
		int high = hex_digit(next_byte(gdb)), low = hex_digit(next_byte(gdb));
		bool good = high >= 0 && low >= 0 && (high << 4 | low) == sum;

		if (gdb->acknowledge)
			send_bytes(gdb, good ? "+" : "-", 1);
		if (good)
			return true;
	}
}

void gdb_send(struct gdb *gdb)
{
	char frame[5];
	uint8_t sum = 0;

	for (size_t i = 0; i < gdb->out_length; i++)
		sum += (uint8_t)gdb->out[i];
	snprintf(frame, sizeof(frame), "#%02x", sum);
	send_bytes(gdb, "$", 1);
	send_bytes(gdb, gdb->out, gdb->out_length);
	send_bytes(gdb, frame, 3);
	gdb->out_length = 0;
}

void gdb_put(struct gdb *gdb, const char *format, ...)
{
	size_t room = sizeof(gdb->out) - gdb->out_length;
	va_list args;

	va_start(args, format);
	int length = vsnprintf(gdb->out + gdb->out_length, room, format, args);
	va_end(args);
	gdb->out_length += (size_t)length < room ? (size_t)length : room - 1;
}

void gdb_put_hex(struct gdb *gdb, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i++)
		gdb_put(gdb, "%02x", bytes[i]);
}

size_t gdb_parse_hex(const char *text, void *to, size_t room)
{
	uint8_t *bytes = to;
	size_t length = 0;

	for (; length < room && hex_digit(text[0]) >= 0 && hex_digit(text[1]) >= 0; text += 2)
		bytes[length++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
	return length;
}

void gdb_say(struct gdb *gdb, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	gdb->out_length = 0;
	gdb_put(gdb, "O");
	gdb_put_hex(gdb, text, strlen(text));
	gdb_send(gdb);
}
