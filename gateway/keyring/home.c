/* SPDX-License-Identifier: ISC */
#include "keyring/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keyring/agent.h"
#include "keyring/frame.h"

static const char gpg_conf[] = "batch\n"
                               "no-greeting\n"
                               "quiet\n"
                               "trust-model always\n"
                               "no-auto-check-trustdb\n"
                               "no-auto-key-retrieve\n"
                               "no-auto-key-locate\n"
                               "disable-dirmngr\n"
                               "import-options import-minimal\n"
                               "export-options export-minimal\n"
                               "no-random-seed-file\n"
                               "cert-digest-algo SHA256\n"
                               "digest-algo SHA256\n";

/* A friend's clock may go wrong; that is no reason to refuse its key. Verifying needs no agent. */
static const char verify_conf[] = "lock-never\n"
                                  "no-autostart\n"
                                  "ignore-time-conflict\n"
                                  "ignore-valid-from\n";

/* The count is taken when a key is stored: with the default each operation costs a quarter of a second more,
 * and the passphrases are random. Nothing is cached: a request brings what it needs. */
static const char agent_conf[] = "s2k-count 65536\n"
                                 "allow-loopback-pinentry\n"
                                 "pinentry-program /bin/false\n"
                                 "default-cache-ttl 0\n"
                                 "max-cache-ttl 0\n"
                                 "ignore-cache-for-signing\n"
                                 "no-allow-external-cache\n"
                                 "disable-scdaemon\n"
                                 "extra-socket none\n"
                                 "browser-socket none\n";

bool home_path(char out[HOME_PATH_SIZE], const char *directory, struct bytes name, struct error **error)
{
    int size = snprintf(out, HOME_PATH_SIZE, "%s/%.*s", directory, (int)name.size, (const char *)name.data);
    if (size < 0 || size >= HOME_PATH_SIZE)
        return error_set(error, ERROR_INVALID, "the keyring's directory has a path over %d characters",
                         HOME_PATH_SIZE - 1);
    return true;
}

bool home_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static bool file_path(char out[HOME_PATH_SIZE + 32], const char *path, const char *file)
{
    int size = snprintf(out, HOME_PATH_SIZE + 32, "%s/%s", path, file);
    return size > 0 && size < HOME_PATH_SIZE + 32;
}

static bool write_all(int fd, struct bytes data)
{
    while (data.size > 0) {
        ssize_t size = write(fd, data.data, data.size);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return false;
        data = bytes_of(data.data + size, data.size - (size_t)size);
    }
    return true;
}

/* Under a temporary name first, so that a full disk or a kill leaves the old file. */
bool home_write(const char *path, const char *file, struct bytes data, bool durable, struct error **error)
{
    char name[HOME_PATH_SIZE + 32], temporary[HOME_PATH_SIZE + 32];
    if (!file_path(name, path, file) || !file_path(temporary, path, "new"))
        return error_set(error, ERROR_INTERNAL, "a file's path is too long");
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = fd >= 0 && write_all(fd, data) && (!durable || fsync(fd) == 0);
    if (fd >= 0 && close(fd) != 0)
        good = false;
    if (good && rename(temporary, name) == 0)
        return true;
    return error_set(error, ERROR_UNAVAILABLE, "a key's home cannot be written: %s", strerror(errno));
}

static bool make_folder(const char *path, struct error **error)
{
    if (mkdir(path, 0700) == 0)
        return true;
    if (errno == EEXIST)
        return error_set(error, ERROR_EXISTS, "there is a key for this identity already");
    return error_set(error, ERROR_UNAVAILABLE, "a key's home cannot be made: %s", strerror(errno));
}

bool home_make(const char *path, struct error **error)
{
    if (!make_folder(path, error))
        return false;
    if (home_write(path, "gpg.conf", bytes_of_string(gpg_conf), true, error) &&
        home_write(path, "gpg-agent.conf", bytes_of_string(agent_conf), true, error))
        return true;
    home_remove(path, NULL);
    return false;
}

bool home_make_verify(const char *path, struct error **error)
{
    struct buffer conf = buffer_make(sizeof(gpg_conf) + sizeof(verify_conf));
    buffer_append_string(&conf, gpg_conf);
    buffer_append_string(&conf, verify_conf);
    bool good = (!home_exists(path) || home_remove(path, error)) && make_folder(path, error) &&
                !conf.failed && home_write(path, "gpg.conf", buffer_view(&conf), false, error);
    buffer_free(&conf);
    return good;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    /* The agent removes its sockets itself meanwhile. */
    return remove(path) != 0 && errno != ENOENT;
}

bool home_remove(const char *path, struct error **error)
{
    agent_end(path);
    /* A second time for what the ending agent may have made in between. */
    for (int i = 0; i < 2 && home_exists(path); i++)
        nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return !home_exists(path) || error_set(error, ERROR_UNAVAILABLE, "a key's home cannot be deleted");
}

bool home_read_block(const char *path, struct buffer *block, struct openpgp_key *key, struct error **error)
{
    char name[HOME_PATH_SIZE + 32];
    int fd = file_path(name, path, "block") ? open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0)
        return error_set(error, ERROR_NOT_FOUND, "there is no key for this identity");
    ssize_t size = 0;
    uint8_t *into;
    while ((into = buffer_reserve(block, 4096)) && (size = read(fd, into, 4096)) > 0)
        buffer_commit(block, (size_t)size);
    close(fd);
    if (!into || size < 0)
        return error_set(error, ERROR_UNAVAILABLE, "a key's home cannot be read");
    return openpgp_key_parse(key, buffer_view(block), error);
}

static void for_each_home(const char *directory, unsigned index, unsigned workers,
                          void (*act)(const char *path))
{
    DIR *folder = opendir(directory);
    struct dirent *entry;
    char path[HOME_PATH_SIZE];
    while (folder && (entry = readdir(folder))) {
        struct bytes name = bytes_of_string(entry->d_name);
        if (home_is_good(name) && home_worker(name, workers) == index &&
            home_path(path, directory, name, NULL))
            act(path);
    }
    if (folder)
        closedir(folder);
}

static void remove_leftovers(const char *path)
{
    char socket[HOME_PATH_SIZE + 32], block[HOME_PATH_SIZE + 32];
    if (!file_path(socket, path, "S.gpg-agent") || !file_path(block, path, "block"))
        return;
    unlink(socket);
    if (!home_exists(block))
        home_remove(path, NULL);
}

void home_sweep(const char *directory, unsigned index, unsigned workers)
{
    for_each_home(directory, index, workers, remove_leftovers);
}

void home_end_agents(const char *directory, unsigned index, unsigned workers)
{
    for_each_home(directory, index, workers, agent_end);
}
