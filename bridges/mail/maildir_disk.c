/* SPDX-License-Identifier: ISC */
#include "maildir_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POSITION_FILE "retrogate-position"
static const char sent_folder[] = ".Sent";

enum place { TMP, NEW, CUR, PLACES };
static const char *const place_names[PLACES] = {"tmp", "new", "cur"};

/* Descriptors for the length of one call. */
struct open_folder {
    int root, places[PLACES];
};

static bool failed(struct error **error, const char *what)
{
    return error_set(error, ERROR_UNAVAILABLE, "%s: %s", what, strerror(errno));
}

/* --- the folders */

static int open_below(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool make_below(int parent, const char *name, struct error **error)
{
    return mkdirat(parent, name, 0700) == 0 || errno == EEXIST || failed(error, "mkdir");
}

static void close_folder(struct open_folder *at)
{
    if (at->root >= 0)
        close(at->root);
    for (size_t i = 0; i < PLACES; i++)
        if (at->places[i] >= 0)
            close(at->places[i]);
}

/* Moves `*at` into its folder `name`. */
static bool enter(int *at, const char *name, bool make, struct error **error)
{
    if (make && !make_below(*at, name, error))
        return false;
    int inner = open_below(*at, name);
    int kept = errno;
    close(*at);
    *at = inner;
    errno = kept;
    return inner >= 0 || failed(error, "the account's folder cannot be opened, or is a symbolic link");
}

static bool open_folder(const struct maildir_disk *disk, struct open_folder *at, bool make,
                        struct error **error)
{
    *at = (struct open_folder){open(disk->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), {-1, -1, -1}};
    if (at->root < 0)
        return failed(error, "the folder mail.maildir cannot be opened");
    bool open = enter(&at->root, disk->account, make, error) &&
                (!disk->sent || enter(&at->root, sent_folder, make, error));
    for (size_t i = 0; open && i < PLACES; i++) {
        open = !make || make_below(at->root, place_names[i], error);
        at->places[i] = open ? open_below(at->root, place_names[i]) : -1;
        open = at->places[i] >= 0 || failed(error, "tmp, new or cur cannot be opened");
    }
    if (!open)
        close_folder(at);
    return open;
}

/* --- the position */

enum { POSITION_TEXT = 256 };

static void position_text(char out[POSITION_TEXT], const struct maildir_disk *disk, int64_t position)
{
    snprintf(out, POSITION_TEXT, "retrogate 1 %s %" PRId64 " %" PRId64 "\n", disk->owner, disk->epoch,
             position);
}

/* Of bytes; 0 when the file is not there, or not a file. */
static size_t read_small(int root, char *out, size_t size)
{
    int fd = openat(root, POSITION_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, out, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    out[got > 0 ? (size_t)got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

static bool read_position(struct maildir_disk *disk, int root, struct error **error)
{
    char text[POSITION_TEXT], owner[128];
    int64_t epoch, position;
    disk->position = -1;
    if (read_small(root, text, sizeof text) == 0)
        return true;
    if (sscanf(text, "retrogate 1 %127s %" SCNd64 " %" SCNd64, owner, &epoch, &position) != 3)
        return true;
    if (strcmp(owner, disk->owner) != 0)
        return error_set(error, ERROR_DENIED,
                         "the folder belongs to another account; give it a new folder, or remove its "
                         "file " POSITION_FILE);
    if (epoch == disk->epoch && position >= 0)
        disk->position = position;
    return true;
}

static bool is_same(const struct maildir_disk *disk, int root)
{
    char there[POSITION_TEXT], wanted[POSITION_TEXT];
    position_text(wanted, disk, disk->position);
    return read_small(root, there, sizeof there) > 0 && strcmp(there, wanted) == 0;
}

static bool write_all(int fd, const void *data, size_t size)
{
    for (const uint8_t *at = data; size > 0;) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno != EINTR)
            return false;
        at += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

bool maildir_disk_keep(struct maildir_disk *disk, int64_t position, struct error **error)
{
    char text[POSITION_TEXT];
    struct open_folder at;
    if (!open_folder(disk, &at, false, error))
        return false;
    /* A folder that was put in this one's place meanwhile has not what the position tells of. */
    if (disk->position >= 0 && !is_same(disk, at.root)) {
        close_folder(&at);
        disk->position = -1;
        return error_set(error, ERROR_UNAVAILABLE, "the folder is another one than before");
    }
    position_text(text, disk, position);
    unlinkat(at.places[TMP], POSITION_FILE, 0);
    int fd =
        openat(at.places[TMP], POSITION_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool kept = fsync(at.places[NEW]) == 0 && fsync(at.places[CUR]) == 0 && fd >= 0 &&
                write_all(fd, text, strlen(text)) && fsync(fd) == 0 &&
                renameat(at.places[TMP], POSITION_FILE, at.root, POSITION_FILE) == 0 && fsync(at.root) == 0;
    kept = kept || failed(error, "the position");
    if (fd >= 0)
        close(fd);
    close_folder(&at);
    if (kept)
        disk->position = position;
    return kept;
}

/* --- what is there */

static bool is_ours(const struct maildir_disk *disk, const char *text, struct maildir_name *name)
{
    return maildir_name_parse(name, text) && name->kind == (disk->sent ? 'T' : 'R') &&
           name->epoch == disk->epoch;
}

/* Calls `fn` for each file of ours in a place until it returns false; false also when reading failed. */
static bool each_file(const struct maildir_disk *disk, const struct open_folder *at, enum place place,
                      bool (*fn)(void *arg, const char *text, const struct maildir_name *name), void *arg)
{
    int fd = open_below(at->root, place_names[place]);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    const struct dirent *entry;
    struct maildir_name name;
    bool on = true;
    for (errno = 0; on && (entry = readdir(dir)) != NULL; errno = 0)
        on = !is_ours(disk, entry->d_name, &name) || fn(arg, entry->d_name, &name);
    on = on && errno == 0;
    closedir(dir);
    return on;
}

struct listing {
    struct maildir_files *files;
    enum place place;
};

static bool list_file(void *arg, const char *text, const struct maildir_name *name)
{
    struct listing *listing = arg;
    struct maildir_files *files = listing->files;
    (void)text;
    if (files->count == files->room) {
        size_t room = files->room > 0 ? 2 * files->room : 64;
        struct maildir_file *list =
            room <= 2 * MAILDIR_FILES ? realloc(files->list, room * sizeof *list) : NULL;
        if (list == NULL)
            return false;
        files->list = list;
        files->room = room;
    }
    files->list[files->count++] = (struct maildir_file){name->seq, name->letters, listing->place == NEW};
    return true;
}

static int by_seq(const void *a, const void *b)
{
    const struct maildir_file *left = a, *right = b;
    return (left->seq > right->seq) - (left->seq < right->seq);
}

bool maildir_disk_scan(struct maildir_disk *disk, struct maildir_files *files, struct error **error)
{
    struct open_folder at;
    struct error *why = NULL;
    files->count = 0;
    if (!open_folder(disk, &at, false, &why)) {
        error_free(why);
        disk->position = -1;
        return true;
    }
    bool same = disk->position < 0 || is_same(disk, at.root);
    /* new first: what moves to cur meanwhile is found there. */
    bool read = each_file(disk, &at, NEW, list_file, &(struct listing){files, NEW}) &&
                each_file(disk, &at, CUR, list_file, &(struct listing){files, CUR});
    if (!read)
        failed(error, "the folder cannot be read");
    same = same && (disk->position < 0 || is_same(disk, at.root));
    close_folder(&at);
    if (!same)
        disk->position = -1;
    if (read && files->count > 1)
        qsort(files->list, files->count, sizeof *files->list, by_seq);
    return read;
}

static bool drop_file(void *arg, const char *text, const struct maildir_name *name)
{
    const struct open_folder *at = arg;
    (void)name;
    unlinkat(at->places[TMP], text, 0);
    return true;
}

bool maildir_disk_open(struct maildir_disk *disk, struct error **error)
{
    struct open_folder at;
    maildir_disk_forget(disk);
    if (disk->account[0] == '\0' || disk->account[0] == '.' || strchr(disk->account, '/') != NULL)
        return error_set(error, ERROR_INVALID, "the account's name cannot name a folder");
    if (!open_folder(disk, &at, true, error))
        return false;
    bool open = read_position(disk, at.root, error);
    if (open)
        each_file(disk, &at, TMP, drop_file, &at); /* half written, before a crash */
    if (open && disk->sent) {                      /* so that Courier and Dovecot take it for a folder */
        int mark = openat(at.root, "maildirfolder", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (mark >= 0)
            close(mark);
    }
    close_folder(&at);
    return open;
}

/* --- writing a message */

void maildir_disk_forget(struct maildir_disk *disk)
{
    if (disk->message >= 0)
        close(disk->message);
    disk->message = -1;
}

static void base_of(const struct maildir_disk *disk, const struct maildir_post *post, char out[MAILDIR_NAME])
{
    maildir_name_base(out, disk->sent ? 'T' : 'R', post->seconds, disk->epoch, post->seq, disk->host,
                      post->size);
}

static bool finish(struct maildir_disk *disk, const struct open_folder *at, const char *base,
                   maildir_letters letters)
{
    char name[MAILDIR_NAME];
    maildir_name_tag(name, base, strlen(base), letters);
    return fsync(disk->message) == 0 &&
           (letters != 0 ? renameat(at->places[TMP], base, at->places[CUR], name)
                         : renameat(at->places[TMP], base, at->places[NEW], base)) == 0;
}

bool maildir_disk_write(struct maildir_disk *disk, const struct maildir_post *post, uint64_t offset,
                        struct bytes piece, bool last, struct error **error)
{
    char base[MAILDIR_NAME];
    struct open_folder at;
    if (!open_folder(disk, &at, false, error))
        return false;
    base_of(disk, post, base);
    if (offset == 0) {
        maildir_disk_forget(disk);
        unlinkat(at.places[TMP], base, 0);
        disk->message =
            openat(at.places[TMP], base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    bool done = disk->message >= 0 && write_all(disk->message, piece.data, piece.size) &&
                (!last || finish(disk, &at, base, post->letters));
    if (!done) {
        failed(error, "a message cannot be written");
        unlinkat(at.places[TMP], base, 0);
    }
    if (!done || last)
        maildir_disk_forget(disk);
    close_folder(&at);
    return done;
}

/* --- changing one */

struct finding {
    int64_t seq;
    char text[MAILDIR_NAME];
    struct maildir_name name;
    bool found;
};

static bool find_file(void *arg, const char *text, const struct maildir_name *name)
{
    struct finding *finding = arg;
    if (name->seq != finding->seq)
        return true;
    snprintf(finding->text, sizeof finding->text, "%s", text);
    finding->name = *name;
    finding->found = true;
    return false;
}

/* A mail program may have renamed it since it was seen. */
static bool locate(const struct maildir_disk *disk, const struct open_folder *at, struct finding *finding,
                   bool in_new, enum place *place)
{
    const enum place order[] = {in_new ? NEW : CUR, in_new ? CUR : NEW};
    for (size_t i = 0; i < 2 && !finding->found; i++) {
        *place = order[i];
        if (!each_file(disk, at, *place, find_file, finding) && !finding->found)
            return false;
    }
    return true;
}

bool maildir_disk_tag(struct maildir_disk *disk, struct maildir_file *file, maildir_letters clear,
                      maildir_letters set, bool *there, struct error **error)
{
    char name[MAILDIR_NAME];
    struct finding finding = {.seq = file->seq};
    struct open_folder at;
    enum place place;
    *there = false;
    if (!open_folder(disk, &at, false, error))
        return false;
    bool done = locate(disk, &at, &finding, file->in_new, &place);
    *there = finding.found;
    if (done && finding.found) {
        file->letters = (finding.name.letters & ~clear) | set;
        file->in_new = place == NEW && file->letters == 0;
        maildir_name_tag(name, finding.text, finding.name.base, file->letters);
        done = file->in_new || renameat(at.places[place], finding.text, at.places[CUR], name) == 0;
    }
    if (!done)
        failed(error, "a message's flags cannot be changed");
    close_folder(&at);
    return done;
}

bool maildir_disk_remove(struct maildir_disk *disk, const struct maildir_file *file, struct error **error)
{
    struct finding finding = {.seq = file->seq};
    struct open_folder at;
    enum place place;
    if (!open_folder(disk, &at, false, error))
        return false;
    bool done = locate(disk, &at, &finding, file->in_new, &place) &&
                (!finding.found || unlinkat(at.places[place], finding.text, 0) == 0 || errno == ENOENT);
    if (!done)
        failed(error, "a message cannot be removed");
    close_folder(&at);
    return done;
}
