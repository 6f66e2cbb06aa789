/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Packs files into an initrd: mkinitrd OUT NAME=FILE|NAME@TARGET... A FILE becomes NAME,
 * executable; NAME@TARGET is a symbolic link. Folders above a NAME come by themselves, and
 * /dev/console, /proc, /sys and /tmp too. Format: Linux
 * "Documentation/driver-api/early-userspace/buffer-format.rst" (newc cpio).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODE_DIRECTORY 0040755u
#define MODE_FILE 0100755u
#define MODE_LINK 0120777u
#define MODE_CONSOLE 0020600u
#define CONSOLE_MAJOR 5u
#define CONSOLE_MINOR 1u
#define FOLDERS_MAX 64

static unsigned inode;
static char *folders[FOLDERS_MAX];
static unsigned folder_count;

static _Noreturn void die(const char *what, const char *name)
{
	fprintf(stderr, "mkinitrd: %s %s\n", what, name);
	exit(1);
}

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

/* Each folder once, before what lies in it. */
static void add_folder(FILE *out, const char *name, size_t length)
{
	char *folder = strndup(name, length);

	for (unsigned i = 0; i < folder_count; i++) {
		if (!strcmp(folders[i], folder)) {
			free(folder);
			return;
		}
	}
	if (folder_count == FOLDERS_MAX)
		die("too many folders:", folder);
	folders[folder_count++] = folder;
	add(out, folder, MODE_DIRECTORY, "", 0);
}

static void add_folders_above(FILE *out, const char *name)
{
	for (const char *slash = name; (slash = strchr(slash, '/')); slash++)
		add_folder(out, name, (size_t)(slash - name));
}

static void add_file(FILE *out, const char *name, const char *path)
{
	FILE *in = fopen(path, "rb");
	long size;
	void *data;

	if (!in || fseek(in, 0, SEEK_END) || (size = ftell(in)) < 0)
		die("cannot read", path);
	rewind(in);
	data = malloc((size_t)size + 1);
	if (!data || fread(data, 1, (size_t)size, in) != (size_t)size)
		die("cannot read", path);
	add(out, name, MODE_FILE, data, (unsigned)size);
	free(data);
	fclose(in);
}

static void add_argument(FILE *out, char *argument)
{
	char *split = strpbrk(argument, "=@");
	char kind;

	if (!split)
		die("neither NAME=FILE nor NAME@TARGET:", argument);
	kind = *split;
	*split++ = '\0';
	add_folders_above(out, argument);
	if (kind == '=')
		add_file(out, argument, split);
	else
		add(out, argument, MODE_LINK, split, (unsigned)strlen(split));
}

int main(int argc, char **argv)
{
	static const char *const mount_points[] = {"dev", "proc", "sys", "tmp"};
	FILE *out;

	if (argc < 3 || !(out = fopen(argv[1], "wb"))) {
		fprintf(stderr, "usage: mkinitrd OUT NAME=FILE|NAME@TARGET...\n");
		return 64;
	}
	for (size_t i = 0; i < sizeof(mount_points) / sizeof(mount_points[0]); i++)
		add_folder(out, mount_points[i], strlen(mount_points[i]));
	add(out, "dev/console", MODE_CONSOLE, "", 0);
	for (int i = 2; i < argc; i++)
		add_argument(out, argv[i]);
	add(out, "TRAILER!!!", 0, "", 0);
	return fclose(out) ? 1 : 0;
}
