/* A disk that takes no more, for every library of a process: calls of the C library that change one of some folders
 * are counted, and the so-many-th fails, alone or with all that follow.
 *
 * Loaded with LD_PRELOAD, armed by `disk_arm`. The count is shared by all processes that are forked after that.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAKE = 1, WRITE = 2, FLUSH = 4, OPEN = 8, REMOVE = 16, REPLACE = 32 };
enum { MOST_ROOTS = 4, LONGEST = 4096 };

struct disk {
    long calls, at;
    int error, lasting, kinds, log, num_roots;
    char roots[MOST_ROOTS][LONGEST];
};
static struct disk *disk;

/* `roots`: folders, one a line. `at` 0: nothing fails. `log`: a descriptor that hears of every call, -1 for none. */
void disk_arm(const char *roots, long at, int error, int lasting, int kinds, int log)
{
    struct disk *made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    made->at = at, made->error = error, made->lasting = lasting, made->kinds = kinds, made->log = log;
    while (*roots && made->num_roots < MOST_ROOTS) {
        size_t length = strcspn(roots, "\n");
        memcpy(made->roots[made->num_roots++], roots, length < LONGEST ? length : LONGEST - 1);
        roots += length + (roots[length] == '\n');
    }
    disk = made;
}

static int is_on(const char *path)
{
    for (int i = 0; i < disk->num_roots; i++) {
        size_t length = strlen(disk->roots[i]);
        if (!strncmp(path, disk->roots[i], length) && (path[length] == '/' || !path[length])) return 1;
    }
    return 0;
}

/* Whether a call is to fail; errno then says why. 2: it is the first that does. */
static int refused(int kind, const char *call, const char *path)
{
    if (!(disk->kinds & kind) || !is_on(path)) return 0;
    long number = __atomic_add_fetch(&disk->calls, 1, __ATOMIC_SEQ_CST);
    if (disk->log >= 0) {
        char line[LONGEST + 64];
        int length = snprintf(line, sizeof line, "%s %s\n", call, path);
        syscall(SYS_write, disk->log, line, length < (int)sizeof line ? length : (int)sizeof line - 1);
    }
    if (!disk->at || number < disk->at || (number > disk->at && !disk->lasting)) return 0;
    errno = disk->error;
    return number == disk->at ? 2 : 1;
}

static int refused_at(int kind, const char *call, int folder, const char *path)
{
    char whole[2 * LONGEST], link[64];
    if (!disk || !path) return 0;
    if (path[0] == '/') return refused(kind, call, path);
    if (folder == AT_FDCWD) {
        if (!getcwd(whole, LONGEST)) return 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, whole, LONGEST - 1);
        if (length < 0) return 0;
        whole[length] = 0;
    }
    strcat(whole, "/");
    strncat(whole, path, LONGEST - 1);
    return refused(kind, call, whole);
}

static int refused_file(int kind, const char *call, int file)
{
    char link[64], path[LONGEST];
    if (!disk) return 0;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return 0;
    path[length] = 0;
    return refused(kind, call, path);
}

#define REAL(type, name, ...) type (*real)(__VA_ARGS__) = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

static int is_refused_opening(int folder, const char *path, int flags)
{
    if (!disk || !(flags & (O_WRONLY | O_RDWR | O_CREAT))) return 0;
    struct stat facts;
    int is_new = (flags & O_CREAT) && syscall(SYS_newfstatat, folder, path, &facts, 0) < 0;
    return refused_at(is_new ? MAKE : OPEN, is_new ? "create" : "open", folder, path);
}

#define OPENING(name) int name(const char *path, int flags, ...) { \
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
    REAL(int, name, const char *, int, ...); \
    return is_refused_opening(AT_FDCWD, path, flags) ? -1 : real(path, flags, mode); }
#define OPENING_AT(name) int name(int folder, const char *path, int flags, ...) { \
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
    REAL(int, name, int, const char *, int, ...); \
    return is_refused_opening(folder, path, flags) ? -1 : real(folder, path, flags, mode); }
OPENING(open) OPENING(open64) OPENING_AT(openat) OPENING_AT(openat64)

#define OPENING_STREAM(name) FILE *name(const char *path, const char *mode) { \
    REAL(FILE *, name, const char *, const char *); \
    int flags = mode[0] == 'r' ? (strchr(mode, '+') ? O_RDWR : O_RDONLY) : O_WRONLY | O_CREAT; \
    return is_refused_opening(AT_FDCWD, path, flags) ? NULL : real(path, mode); }
OPENING_STREAM(fopen) OPENING_STREAM(fopen64)

/* A name that is there already takes no room. */
static int naming(const char *call, int folder, const char *path)
{
    struct stat facts;
    int is_new = *call != 'r' || syscall(SYS_newfstatat, folder, path, &facts, 0) < 0;
    return refused_at(is_new ? MAKE : REPLACE, is_new ? call : "replace", folder, path);
}

/* The first write that fails still takes half of its bytes, as a disk does that has so much room. */
#define WRITING(name, size, arguments, half, ...) ssize_t name(__VA_ARGS__) { \
    REAL(ssize_t, name, __VA_ARGS__); \
    int is = refused_file(WRITE, "write", file); \
    if (is == 2 && disk->lasting && (size) > 1) return real half; \
    return is ? -1 : real arguments; }
WRITING(write, count, (file, data, count), (file, data, count / 2), int file, const void *data, size_t count)
WRITING(pwrite, count, (file, data, count, at), (file, data, count / 2, at),
        int file, const void *data, size_t count, off_t at)
WRITING(pwrite64, count, (file, data, count, at), (file, data, count / 2, at),
        int file, const void *data, size_t count, off64_t at)
WRITING(writev, count, (file, parts, count), (file, parts, count / 2), int file, const struct iovec *parts, int count)
WRITING(sendfile, count, (file, from, at, count), (file, from, at, count / 2),
        int file, int from, off_t *at, size_t count)
WRITING(sendfile64, count, (file, from, at, count), (file, from, at, count / 2),
        int file, int from, off64_t *at, size_t count)

ssize_t copy_file_range(int from, off64_t *at, int file, off64_t *to, size_t count, unsigned flags)
{
    REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
    return refused_file(WRITE, "write", file) ? -1 : real(from, at, file, to, count, flags);
}

#define SIZING(name, type) int name(int file, type size) { \
    REAL(int, name, int, type); \
    return refused_file(WRITE, "truncate", file) ? -1 : real(file, size); }
SIZING(ftruncate, off_t) SIZING(ftruncate64, off64_t)

#define RESERVING(name, type, failed) int name(int file, type at, type size) { \
    REAL(int, name, int, type, type); \
    return refused_file(WRITE, "reserve", file) ? failed : real(file, at, size); }
RESERVING(posix_fallocate, off_t, errno) RESERVING(posix_fallocate64, off64_t, errno)

#define FLUSHING(name) int name(int file) { \
    REAL(int, name, int); \
    return refused_file(FLUSH, "flush", file) ? -1 : real(file); }
FLUSHING(fsync) FLUSHING(fdatasync)

#define NAMING(name, kind, path, arguments, ...) int name(__VA_ARGS__) { \
    REAL(int, name, __VA_ARGS__); \
    return refused_at(kind, #name, AT_FDCWD, path) ? -1 : real arguments; }
NAMING(mkdir, MAKE, path, (path, mode), const char *path, mode_t mode)
NAMING(link, MAKE, to, (from, to), const char *from, const char *to)
NAMING(symlink, MAKE, to, (from, to), const char *from, const char *to)
NAMING(unlink, REMOVE, path, (path), const char *path)
NAMING(rmdir, REMOVE, path, (path), const char *path)

#define NAMING_AT(name, call, kind, folder, path, arguments, ...) int name(__VA_ARGS__) { \
    REAL(int, name, __VA_ARGS__); \
    return refused_at(kind, call, folder, path) ? -1 : real arguments; }
NAMING_AT(mkdirat, "mkdir", MAKE, folder, path, (folder, path, mode), int folder, const char *path, mode_t mode)

int rename(const char *from, const char *to)
{
    REAL(int, rename, const char *, const char *);
    return disk && naming("rename", AT_FDCWD, to) ? -1 : real(from, to);
}

int renameat(int out, const char *from, int in, const char *to)
{
    REAL(int, renameat, int, const char *, int, const char *);
    return disk && naming("rename", in, to) ? -1 : real(out, from, in, to);
}

NAMING_AT(linkat, "link", MAKE, in, to, (out, from, in, to, flags),
          int out, const char *from, int in, const char *to, int flags)
NAMING_AT(unlinkat, "unlink", REMOVE, folder, path, (folder, path, flags), int folder, const char *path, int flags)
