/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "control/ctl_client.h"
#include "control/ctl_input.h"
#include "control/ctl_print.h"

/* Verbs that need no daemon. */

/* doc/retrogate.conf.example, as the build put it into a list of bytes. */
static const unsigned char config_text[] = {
#if __has_include("retrogate_conf_example.inc")
#include "retrogate_conf_example.inc"
#else
    "# The configuration of retrogated; see retrogate.conf(5). Every key that is not here has its default.\n"
    "\n"
    "[node]\n"
    "# name =\n"
#endif
};

enum { NAME_MAX_BYTES = 64 };

struct places {
    char config_folder[PATH_MAX], config_file[PATH_MAX], state_folder[PATH_MAX];
    bool system;
};

static bool join(char out[PATH_MAX], const char *first, const char *second, struct error **error)
{
    int length = snprintf(out, PATH_MAX, "%s%s", first, second);
    return (length > 0 && length < PATH_MAX) || error_set(error, ERROR_INVALID, "a path is too long");
}

/* The folder of an XDG variable, or its default under the home. */
static bool xdg(char out[PATH_MAX], const char *variable, const char *beside_home, struct error **error)
{
    const char *value = getenv(variable), *home = getenv("HOME");
    if (value != NULL && value[0] == '/')
        return join(out, value, "/retrogate", error);
    char base[PATH_MAX];
    if (home == NULL || home[0] != '/')
        return error_set(error, ERROR_INVALID, "HOME is not set; set it, or %s", variable);
    return join(base, home, beside_home, error) && join(out, base, "/retrogate", error);
}

static bool find_places(struct places *places, struct error **error)
{
    places->system = geteuid() == 0;
    return (places->system ? join(places->config_folder, "/etc", "/retrogate", error) &&
                                 join(places->state_folder, "/var/lib", "/retrogate", error)
                           : xdg(places->config_folder, "XDG_CONFIG_HOME", "/.config", error) &&
                                 xdg(places->state_folder, "XDG_STATE_HOME", "/.local/state", error)) &&
           join(places->config_file, places->config_folder, "/retrogate.conf", error);
}

static bool make_folders(const char *path, mode_t mode, struct error **error)
{
    char part[PATH_MAX];
    if (!join(part, path, "", error))
        return false;
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return error_set(error, ERROR_DENIED, "cannot make %s: %s", part, strerror(errno));
        *slash = '/';
    }
    return mkdir(path, mode) == 0 || errno == EEXIST ||
           error_set(error, ERROR_DENIED, "cannot make %s: %s", path, strerror(errno));
}

/* Whether a line of the example is the one that sets the node's name, commented or not. */
static bool is_name_line(const char *line)
{
    line += strspn(line, "#; \t");
    return strncmp(line, "name", 4) == 0 && line[4 + strspn(line + 4, " \t")] == '=';
}

/* The example with the node's name in the first place that is for it. */
static bool compose(struct buffer *out, const char *name)
{
    const char *at = (const char *)config_text, *end = at + sizeof config_text;
    bool named = false;
    while (at < end && *at != '\0') {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        size_t size = feed != NULL ? (size_t)(feed - at) + 1 : strnlen(at, (size_t)(end - at));
        char line[32] = "";
        memcpy(line, at, size < sizeof line ? size : sizeof line - 1);
        if (!named && is_name_line(line)) {
            buffer_printf(out, "name = %s\n", name);
            named = true;
        } else {
            buffer_append(out, at, size);
        }
        at += size;
    }
    return !out->failed;
}

static bool write_new(const char *path, mode_t mode, struct bytes bytes, struct error **error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0 && errno == EEXIST)
        return error_set(error, ERROR_EXISTS, "%s exists; remove it first, or edit it", path);
    bool good = fd >= 0 && write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size && fsync(fd) == 0;
    if (!good)
        error_set(error, ERROR_DENIED, "cannot write %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !good)
        unlink(path);
    return good;
}

/* Given, typed, or the host's. The caller frees. */
static char *choose_name(struct ctl *ctl, const json_t *options, struct error **error)
{
    char host[NAME_MAX_BYTES + 1] = "", question[160];
    const char *given = json_string_value(json_object_get(options, ".name"));
    gethostname(host, sizeof host - 1);
    char *name = NULL;
    if (given != NULL) {
        name = strdup(given);
    } else if (json_object_get(options, ".yes") != NULL) {
        name = strdup(host);
    } else {
        snprintf(question, sizeof question, "Name of this node, shown to friends [%s]: ", host);
        name = ctl_input_line(ctl, question);
        if (name == NULL)
            error_set(error, ERROR_DENIED, "no answer; nothing was written (--yes asks nothing)");
        if (name != NULL && name[0] == '\0') {
            free(name);
            name = strdup(host);
        }
    }
    bool good = name != NULL && name[0] != '\0' && strlen(name) <= NAME_MAX_BYTES;
    for (const char *at = name; good && *at != '\0'; at++)
        good = (unsigned char)*at >= 0x20 && *at != 0x7f && strchr("#;\"", *at) == NULL;
    if (good)
        return name;
    free(name);
    error_set(error, ERROR_INVALID,
              "the node's name has 1 to %d bytes, without control characters, '#', ';' and '\"'",
              NAME_MAX_BYTES);
    return NULL;
}

static void tell_next_steps(const struct ctl *ctl, const struct places *places)
{
    fprintf(ctl->out,
            "Wrote %s; every key is there with its default.\n"
            "The state will be in %s.\n\n"
            "Next:\n"
            "  1. look at the configuration and check it:  retrogatectl config check\n"
            "  2. start the daemon:                        %s\n"
            "  3. make an account for yourself,\n"
            "     in a browser, with a link printed by:    retrogatectl web\n"
            "     or here:                                 retrogatectl account add NAME\n"
            "  4. give your certificate to a friend:       retrogatectl friend self\n"
            "     and add the friend's:                    retrogatectl friend add @FILE\n",
            places->config_file, places->state_folder,
            places->system ? "systemctl enable --now retrogate" : "retrogated");
}

int ctl_init(struct ctl *ctl, const json_t *options)
{
    struct places places;
    struct error *error = NULL;
    struct buffer text = buffer_make(256 << 10);
    char *name = NULL;
    bool good = find_places(&places, &error);
    if (good && access(places.config_file, F_OK) == 0)
        good = error_set(&error, ERROR_EXISTS, "%s exists; remove it first, or edit it", places.config_file);
    if (good)
        good = (name = choose_name(ctl, options, &error)) != NULL;
    if (good && !compose(&text, name))
        good = error_set(&error, ERROR_INTERNAL, "out of memory");
    good = good && make_folders(places.state_folder, 0700, &error) &&
           make_folders(places.config_folder, places.system ? 0755 : 0700, &error) &&
           write_new(places.config_file, places.system ? 0644 : 0600, buffer_view(&text), &error);
    buffer_free(&text);
    free(name);
    if (!good)
        return ctl_fail(ctl, CTL_REFUSED, error);
    tell_next_steps(ctl, &places);
    return CTL_DONE;
}

/* The daemon beside this program, else the one in PATH. */
static void become_daemon(const char *file)
{
    char own[PATH_MAX], beside[PATH_MAX + 16];
    char *const arguments[] = {"retrogated", "--check-config", file != NULL ? "-c" : NULL,
                               (char *)(uintptr_t)file, NULL};
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length > 0) {
        own[length] = '\0';
        snprintf(beside, sizeof beside, "%s/retrogated", dirname(own));
        execv(beside, arguments);
    }
    execvp("retrogated", arguments);
    _exit(127);
}

int ctl_config_check(struct ctl *ctl, const json_t *options)
{
    struct error *error = NULL;
    int status = 0;
    fflush(ctl->out);
    fflush(ctl->log);
    pid_t child = fork();
    if (child == 0)
        become_daemon(json_string_value(json_object_get(options, ".file")));
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 127)
        return WEXITSTATUS(status) == 0 ? CTL_DONE : CTL_REFUSED;
    error_set(&error, ERROR_UNAVAILABLE, "cannot run retrogated, neither beside retrogatectl nor from PATH");
    return ctl_fail(ctl, CTL_REFUSED, error);
}

int ctl_version(struct ctl *ctl, const json_t *options)
{
    (void)options;
    struct error *error = NULL;
    char path[108];
    json_t *ask = json_pack("{s:s}", "do", "hello"), *result = NULL;
    bool lost = false;
    /* The daemon's is told when it is there; that it is not is no failure of this verb. */
    const char *socket = ctl->socket != NULL                                  ? ctl->socket
                         : ctl_client_default_path(path, sizeof path, &error) ? path
                                                                              : NULL;
    ctl->client = socket != NULL ? ctl_client_open(socket, &error) : NULL;
    bool known = ctl->client != NULL && ctl_client_do(ctl->client, ask, &result, &lost, &error);
    const char *software = json_string_value(json_object_get(result, "software"));
    if (ctl->json) {
        fprintf(ctl->out, "{\"retrogatectl\": \"%s\"}\n", RETROGATE_VERSION);
    } else {
        fprintf(ctl->out, "retrogatectl %s\n", RETROGATE_VERSION);
        fputs("daemon: ", ctl->out);
        ctl_print_text(ctl->out, known && software != NULL ? software : "not reached", false);
        fputc('\n', ctl->out);
    }
    error_free(error);
    json_decref(ask);
    json_decref(result);
    return CTL_DONE;
}
