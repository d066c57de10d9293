/* SPDX-License-Identifier: ISC */
#include "pages.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Made by the build from web/: CMakeLists.txt, cmake/embed.cmake. The last row ends it. */
static const struct page pages[] = {
#include "pages.inc"
    {NULL, NULL, NULL, 0, NULL, 0},
};

static const char api[] = "/api/1/"; /* openapi.json is served there, and lies beside the others */

const struct page *page_find(const char *path)
{
    const char *wanted = strcmp(path, "/") == 0 ? "/index.html" : path;
    for (const struct page *page = pages; page->path != NULL; page++) {
        if (strcmp(page->path, wanted) == 0)
            return page;
    }
    return NULL;
}

const char *page_type(const struct page *page)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".webmanifest", "application/manifest+json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".txt", "text/plain; charset=utf-8"},
    };
    const char *end = strrchr(page->path, '.');
    for (size_t i = 0; end != NULL && i < sizeof types / sizeof *types; i++) {
        if (strcmp(end, types[i].end) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

static bool read_all(struct buffer *out, int fd)
{
    struct stat stat;
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode))
        return false;
    for (;;) {
        enum { PIECE = 16384 };
        uint8_t *at = buffer_reserve(out, PIECE);
        ssize_t size = at != NULL ? read(fd, at, PIECE) : -1;
        if (size <= 0)
            return size == 0;
        buffer_commit(out, (size_t)size);
    }
}

bool page_read(struct buffer *out, char hash[PAGE_HASH_SIZE], const struct page *page, const char *folder,
               struct error **error)
{
    char name[4096];
    uint8_t digest[EVP_MAX_MD_SIZE];
    const char *path = page->path + (strncmp(page->path, api, sizeof api - 1) == 0 ? sizeof api - 2 : 0);
    int length = snprintf(name, sizeof name, "%s%s", folder, path);
    int fd = length > 0 && (size_t)length < sizeof name ? open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    bool good = fd >= 0 && read_all(out, fd);
    if (fd >= 0)
        close(fd);
    if (!good)
        return error_set(error, ERROR_NOT_FOUND,
                         "this file cannot be read in the folder that web.files names");
    struct bytes view = buffer_view(out);
    if (EVP_Digest(view.data, view.size, digest, NULL, EVP_sha256(), NULL) != 1)
        return error_set(error, ERROR_INTERNAL, "SHA-256 failed");
    hex_lower(hash, digest, PAGE_HASH_SIZE / 2);
    return true;
}
