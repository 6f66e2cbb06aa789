/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Packs files into an initrd, flat: mkinitrd OUT FILE... Each FILE appears by its last component;
 * the first one as /init. Adds /dev/console. Format: Linux
 * "Documentation/driver-api/early-userspace/buffer-format.rst" (newc cpio).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODE_DIRECTORY 0040755u
#define MODE_FILE 0100755u
#define MODE_CONSOLE 0020600u
#define CONSOLE_MAJOR 5u
#define CONSOLE_MINOR 1u

static unsigned inode;

static void pad(FILE *out)
{
	while (ftell(out) % 4)
		fputc(0, out);
}

static void add(FILE *out, const char *name, unsigned mode, const void *data, unsigned size)
{
	unsigned major = mode == MODE_CONSOLE ? CONSOLE_MAJOR : 0;
	unsigned minor = mode == MODE_CONSOLE ? CONSOLE_MINOR : 0;

	fprintf(out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", ++inode, mode, 0,
		0, 1, 0, size, 0, 0, major, minor, (unsigned)strlen(name) + 1, 0);
	fwrite(name, 1, strlen(name) + 1, out);
	pad(out);
	fwrite(data, 1, size, out);
	pad(out);
}

static void add_file(FILE *out, const char *name, const char *path)
{
	FILE *in = fopen(path, "rb");
	long size;
	void *data;

	if (!in || fseek(in, 0, SEEK_END) || (size = ftell(in)) < 0) {
		fprintf(stderr, "mkinitrd: cannot read %s\n", path);
		exit(1);
	}
	rewind(in);
	data = malloc((size_t)size + 1);
	if (!data || fread(data, 1, (size_t)size, in) != (size_t)size) {
		fprintf(stderr, "mkinitrd: cannot read %s\n", path);
		exit(1);
	}
	add(out, name, MODE_FILE, data, (unsigned)size);
	free(data);
	fclose(in);
}

int main(int argc, char **argv)
{
	FILE *out;

	if (argc < 3 || !(out = fopen(argv[1], "wb"))) {
		fprintf(stderr, "usage: mkinitrd OUT FILE...\n");
		return 64;
	}
	add(out, "dev", MODE_DIRECTORY, "", 0);
	add(out, "dev/console", MODE_CONSOLE, "", 0);
	for (int i = 2; i < argc; i++) {
		const char *slash = strrchr(argv[i], '/');

		add_file(out, i == 2 ? "init" : slash ? slash + 1 : argv[i], argv[i]);
	}
	add(out, "TRAILER!!!", 0, "", 0);
	return fclose(out) ? 1 : 0;
}
