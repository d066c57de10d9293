/* SPDX-License-Identifier: ISC */
#include "store/blobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNFINISHED "blobs/unfinished" /* no account's folder: those are numbers */

struct path {
    char text[128];
};

static struct path path_of_account(int64_t account)
{
    struct path path;
    snprintf(path.text, sizeof path.text, "blobs/%" PRId64, account);
    return path;
}

static struct path path_of_blob(int64_t account, const char *id)
{
    struct path path;
    snprintf(path.text, sizeof path.text, "blobs/%" PRId64 "/%.64s", account, id);
    return path;
}

static bool failed(struct error **error, const char *what)
{
    int cause = errno;
    char text[128];
    if (cause == ENOSPC || cause == EDQUOT || cause == EFBIG)
        return error_set(error, ERROR_UNAVAILABLE, "disk full: cannot %s; make room and try again", what);
    return error_set(error, ERROR_UNAVAILABLE, "cannot %s: %s", what, strerror_r(cause, text, sizeof text));
}

bool blob_id_valid(const char *id)
{
    return strlen(id) == BLOB_ID - 1 && strspn(id, "0123456789abcdef") == BLOB_ID - 1;
}

static bool sync_folder(int directory_fd, const char *path)
{
    int fd = openat(directory_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool synced = fsync(fd) == 0;
    close(fd);
    return synced;
}

static bool make_folder(int directory_fd, const char *path, const char *parent)
{
    if (mkdirat(directory_fd, path, 0700) == 0)
        return sync_folder(directory_fd, parent);
    return errno == EEXIST;
}

/* Which entries to leave; `named` NULL: none. */
struct keep {
    bool (*named)(void *arg, const char *id);
    void *arg;
};

/* Unlinks at most `most` entries. The number, -1 on error; the folder missing is none. */
static int unlink_some(int directory_fd, const char *path, unsigned most, struct keep keep)
{
    int fd = openat(directory_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    DIR *folder = fdopendir(fd);
    if (folder == NULL) {
        close(fd);
        return -1;
    }
    unsigned count = 0;
    bool good = true;
    for (struct dirent *entry; good && count < most && (entry = readdir(folder)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            (keep.named != NULL && keep.named(keep.arg, entry->d_name)))
            continue;
        good = unlinkat(fd, entry->d_name, 0) == 0;
        count++;
    }
    int cause = errno;
    closedir(folder);
    errno = cause;
    return good ? (int)count : -1;
}

bool blobs_prepare(int directory_fd, struct error **error)
{
    if (!make_folder(directory_fd, "blobs", ".") || !make_folder(directory_fd, UNFINISHED, "blobs") ||
        unlink_some(directory_fd, UNFINISHED, UINT32_MAX, (struct keep){0}) < 0)
        return failed(error, "prepare the folder blobs");
    return true;
}

static bool write_file(int fd, struct bytes data)
{
    while (data.size > 0) {
        ssize_t size = write(fd, data.data, data.size);
        if (size < 0 && errno != EINTR)
            return false;
        if (size > 0)
            data = bytes_of(data.data + size, data.size - (size_t)size);
    }
    return fsync(fd) == 0;
}

bool blob_write(int directory_fd, int64_t account, struct bytes data, char id[BLOB_ID], struct error **error)
{
    uint8_t digest[32];
    if (EVP_Digest(data.data, data.size, digest, NULL, EVP_sha256(), NULL) != 1)
        return error_set(error, ERROR_INTERNAL, "SHA-256 failed");
    hex_lower(id, digest, sizeof digest);

    struct path folder = path_of_account(account), path = path_of_blob(account, id);
    struct stat facts;
    bool there = fstatat(directory_fd, path.text, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
                 S_ISREG(facts.st_mode) && (uint64_t)facts.st_size == data.size;
    if (!there) {
        static const char unfinished[] = UNFINISHED "/blob"; /* one thread writes blobs */
        if (!make_folder(directory_fd, folder.text, "blobs"))
            return failed(error, "make a folder for blobs");
        int fd =
            openat(directory_fd, unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
            return failed(error, "write a blob");
        bool written = write_file(fd, data);
        int cause = errno;
        close(fd);
        errno = cause;
        if (!written || renameat(directory_fd, unfinished, directory_fd, path.text) != 0) {
            failed(error, "write a blob");
            unlinkat(directory_fd, unfinished, 0);
            return false;
        }
    }
    /* Also when it was there: the process may have died between its rename and this. */
    return sync_folder(directory_fd, folder.text) || failed(error, "write a blob's folder");
}

bool blob_is_there(int directory_fd, int64_t account, const char *id)
{
    if (!blob_id_valid(id))
        return false;
    struct path path = path_of_blob(account, id);
    struct stat facts;
    return fstatat(directory_fd, path.text, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(facts.st_mode);
}

bool blob_read(int directory_fd, int64_t account, const char *id, uint64_t offset, size_t size,
               struct buffer *into, struct error **error)
{
    if (!blob_id_valid(id))
        return error_set(error, ERROR_INVALID, "a blob id is 64 lower-case hex digits");
    if (offset > INT64_MAX - size)
        return error_set(error, ERROR_INVALID, "no blob is that long");
    struct path path = path_of_blob(account, id);
    int fd = openat(directory_fd, path.text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? error_set(error, ERROR_NOT_FOUND, "there is no such blob")
                               : failed(error, "open a blob");

    uint8_t *room = buffer_reserve(into, size);
    bool good = room != NULL || error_set(error, ERROR_UNAVAILABLE, "no memory for a piece of a blob");
    for (size_t done = 0; good && done < size;) {
        ssize_t got = pread(fd, room + done, size - done, (off_t)(offset + done));
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            good = failed(error, "read a blob");
        if (got > 0) {
            buffer_commit(into, (size_t)got);
            done += (size_t)got;
        }
    }
    close(fd);
    return good;
}

bool blob_delete(int directory_fd, int64_t account, const char *id, struct error **error)
{
    struct path path = path_of_blob(account, id);
    return unlinkat(directory_fd, path.text, 0) == 0 || errno == ENOENT || failed(error, "delete a blob");
}

bool blobs_sweep(int directory_fd, int64_t account, bool (*named)(void *arg, const char *id), void *arg,
                 struct error **error)
{
    struct path folder = path_of_account(account);
    return unlink_some(directory_fd, folder.text, UINT32_MAX, (struct keep){named, arg}) >= 0 ||
           failed(error, "delete blobs that nothing names");
}

int blobs_delete(int directory_fd, int64_t account, unsigned most, struct error **error)
{
    struct path folder = path_of_account(account);
    int count = unlink_some(directory_fd, folder.text, most, (struct keep){0});
    if (count > 0)
        return 1;
    if (count < 0 || (unlinkat(directory_fd, folder.text, AT_REMOVEDIR) != 0 && errno != ENOENT)) {
        failed(error, "delete the blobs of a removed account");
        return -1;
    }
    return 0;
}
