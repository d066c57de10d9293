/* SPDX-License-Identifier: ISC */
/* retrogated: reads the configuration, builds the rooms, runs the loop. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "bridges.h"
#include "config.h"
#include "control/control.h"
#include "core/core.h"

struct daemon {
    uv_loop_t loop;
    struct config *config;
    const char *config_file;
    struct gateway *gateway;
    struct control *control;
    struct bridges bridges;
    uv_signal_t terminate, interrupt, hangup;
    bool stopping;
    int status;
};

/* --- small things of the system */

/* One datagram to the service manager (sd_notify(3)), when there is one. */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
    (void)sent;
    close(fd);
}

static bool make_directory(const char *path, struct error **error)
{
    char copy[512];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *slash = copy + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (mkdir(copy, 0755) != 0 && errno != EEXIST)
            return error_set(error, ERROR_INTERNAL, "%s: %s", copy, strerror(errno));
        *slash = '/';
    }
    if (mkdir(copy, 0700) != 0 && errno != EEXIST)
        return error_set(error, ERROR_INTERNAL, "%s: %s", copy, strerror(errno));
    return true;
}

static bool make_directory_of(const char *file, struct error **error)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s", file);
    char *slash = strrchr(folder, '/');
    if (slash == NULL || slash == folder)
        return true;
    *slash = '\0';
    return make_directory(folder, error);
}

/* Secrets must not reach a core file; many friends and clients need many descriptors. */
static void set_limits(void)
{
    struct rlimit limit = {0, 0};
    setrlimit(RLIMIT_CORE, &limit);
    prctl(PR_SET_DUMPABLE, 0);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    umask(077);
}

/* The keyring stands beside this program, or where it was installed. */
static void keyring_path(char *out, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", out, size - 1);
    char *slash = NULL;
    if (length > 0) {
        out[length] = '\0';
        slash = strrchr(out, '/');
    }
    if (slash != NULL)
        snprintf(slash + 1, size - (size_t)(slash + 1 - out), "retrogate-keyring");
    else
        snprintf(out, size, "retrogate-keyring");
}

/* --- building the rooms */

/* Where the vault key is: NULL when a person gives it. */
static const char *vault_key_file(const struct config *config, char *out, size_t size)
{
    const char *choice = config_text(config, CONFIG_VAULT_KEY),
               *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (strcmp(choice, "ask") == 0)
        return NULL;
    if (strcmp(choice, "credential") == 0)
        snprintf(out, size, "%s/vault-key", credentials != NULL ? credentials : "");
    else if (strcmp(choice, "file") == 0)
        snprintf(out, size, "%s/vault.key", config_text(config, CONFIG_NODE_DIRECTORY));
    else
        snprintf(out, size, "%s", choice);
    return out;
}

static bool open_gateway(struct daemon *daemon, struct error **error)
{
    const struct config *config = daemon->config;
    char keyring[512], vault[512];
    const char *directory = config_text(config, CONFIG_NODE_DIRECTORY);
    const char *dns = config_text(config, CONFIG_NODE_DNS), *proxy = config_text(config, CONFIG_NODE_PROXY);
    const char *choice = config_text(config, CONFIG_VAULT_KEY);
    if (!make_directory(directory, error))
        return false;
    keyring_path(keyring, sizeof keyring);
    struct core_options options = {
        .directory = directory,
        .keyring_program = keyring,
        .keyring_workers = config_number(config, CONFIG_KEYRING_WORKERS),
        .node_name = config_text(config, CONFIG_NODE_NAME),
        .vault_key_file = vault_key_file(config, vault, sizeof vault),
        .vault_key_create = strcmp(choice, "credential") != 0,
        .mail_domain = config_text(config, CONFIG_MAIL_DOMAIN),
        .mail_forward = config_text(config, CONFIG_MAIL_FORWARD),
        .mail_maildir = config_text(config, CONFIG_MAIL_MAILDIR),
        .typing_default = config_yes(config, CONFIG_ACCOUNT_TYPING),
    };
    options.friends.dns = dns[0] != '\0' ? dns : NULL;
    options.friends.proxy = proxy[0] != '\0' ? proxy : NULL;
    options.friends.listen_count = config_addresses(config, CONFIG_NODE_LISTEN, options.friends.listen);
    options.friends.announce_count = config_addresses(config, CONFIG_NODE_ANNOUNCE, options.friends.announce);
    options.router.forward_per_second = config_number(config, CONFIG_NODE_FORWARD_RATE);
    daemon->gateway = gateway_open(&daemon->loop, &options, error);
    return daemon->gateway != NULL;
}

static bool open_control(struct daemon *daemon, struct error **error)
{
    const char *path = config_text(daemon->config, CONFIG_CONTROL_SOCKET);
    unsigned mode = (unsigned)strtoul(config_text(daemon->config, CONFIG_CONTROL_MODE), NULL, 8);
    if (!make_directory_of(path, error))
        return false;
    daemon->control = control_open(&daemon->loop, path, mode, daemon->gateway, error);
    return daemon->control != NULL;
}

static void set_log_level(const struct config *config)
{
    static const char *const words[] = {"error", "warn", "info", "debug"};
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        if (strcmp(words[level], config_text(config, CONFIG_LOG_LEVEL)) == 0)
            log_set_level((enum log_level)level);
    }
}

/* --- signals */

static void gateway_closed(void *arg)
{
    struct daemon *daemon = arg;
    daemon->gateway = NULL;
    uv_close((uv_handle_t *)&daemon->terminate, NULL);
    uv_close((uv_handle_t *)&daemon->interrupt, NULL);
    uv_close((uv_handle_t *)&daemon->hangup, NULL);
}

static void bridges_closed(void *arg)
{
    struct daemon *daemon = arg;
    gateway_close(daemon->gateway, gateway_closed, daemon);
}

static void stop(struct daemon *daemon)
{
    if (daemon->stopping)
        return;
    daemon->stopping = true;
    notify("STOPPING=1");
    log_info("main", "event=stopping");
    if (daemon->control != NULL)
        control_close(daemon->control);
    daemon->control = NULL;
    bridges_close(&daemon->bridges, bridges_closed, daemon);
}

static void on_stop_signal(uv_signal_t *signal, int number)
{
    (void)number;
    stop(signal->data);
}

/* What may change while running: log level, node name, certificate files. The rest is told to need a restart.
 */
static void on_reload_signal(uv_signal_t *signal, int number)
{
    (void)number;
    struct daemon *daemon = signal->data;
    struct error *error = NULL;
    if (daemon->stopping)
        return;
    struct config *config = config_load(daemon->config_file, &error);
    notify("RELOADING=1");
    if (config == NULL || !bridges_reload(&daemon->bridges, config, &error)) {
        log_error("main", "event=reload-refused error=\"%s\"", error->text);
        error_free(error);
        config_free(config);
        notify("READY=1");
        return;
    }
    set_log_level(config);
    gateway_set_node_name(daemon->gateway, config_text(config, CONFIG_NODE_NAME));
    for (size_t key = 0; key < CONFIG_KEYS; key++) {
        static const bool live[CONFIG_KEYS] = {
            [CONFIG_LOG_LEVEL] = true,
            [CONFIG_NODE_NAME] = true,
            [CONFIG_TLS_CERTIFICATE] = true,
            [CONFIG_TLS_KEY] = true,
        };
        if (!live[key] && strcmp(config_text(config, (enum config_key)key),
                                 config_text(daemon->config, (enum config_key)key)) != 0)
            log_warn("main", "event=needs-restart key=%s", config_name((enum config_key)key));
    }
    config_free(daemon->config);
    daemon->config = config;
    log_info("main", "event=reloaded");
    notify("READY=1");
}

static void on_ready(void *arg, const struct error *error)
{
    struct daemon *daemon = arg;
    if (error != NULL) {
        daemon->status = 1;
        stop(daemon);
        return;
    }
    log_info("main", "event=ready");
    notify("READY=1");
}

static void listen_for_signals(struct daemon *daemon)
{
    uv_signal_init(&daemon->loop, &daemon->terminate);
    uv_signal_init(&daemon->loop, &daemon->interrupt);
    uv_signal_init(&daemon->loop, &daemon->hangup);
    daemon->terminate.data = daemon->interrupt.data = daemon->hangup.data = daemon;
    uv_signal_start(&daemon->terminate, on_stop_signal, SIGTERM);
    uv_signal_start(&daemon->interrupt, on_stop_signal, SIGINT);
    uv_signal_start(&daemon->hangup, on_reload_signal, SIGHUP);
}

static int run(struct daemon *daemon)
{
    struct error *error = NULL;
    set_limits();
    set_log_level(daemon->config);
    uv_loop_init(&daemon->loop);
    if (!open_gateway(daemon, &error))
        fatal("%s", error->text);
    listen_for_signals(daemon);
    if (!open_control(daemon, &error) ||
        !bridges_open(&daemon->bridges, &daemon->loop, daemon->gateway, daemon->config, &error)) {
        log_error("main", "event=start-failed error=\"%s\"", error->text);
        error_free(error);
        daemon->status = 1;
        stop(daemon);
    } else {
        gateway_on_ready(daemon->gateway, on_ready, daemon);
    }
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    uv_loop_close(&daemon->loop);
    config_free(daemon->config);
    return daemon->status;
}

static void usage(FILE *out)
{
    fputs("usage: retrogated [-c FILE] [--check-config] [--version] [--help]\n"
          "The gateway runs in the foreground and logs to standard error; see retrogated(8).\n",
          out);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, 'n'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static struct daemon daemon;
    bool check_only = false;
    int option;
    while ((option = getopt_long(argc, argv, "c:nvh", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            daemon.config_file = optarg;
            break;
        case 'n':
            check_only = true;
            break;
        case 'v':
            puts("retrogate " RETROGATE_VERSION);
            return 0;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (optind < argc) {
        usage(stderr);
        return 2;
    }
    struct error *error = NULL;
    daemon.config = config_load(daemon.config_file, &error);
    if (daemon.config == NULL) {
        fprintf(stderr, "retrogated: %s\n", error->text);
        error_free(error);
        return 1;
    }
    if (check_only) {
        puts("the configuration is good");
        config_free(daemon.config);
        return 0;
    }
    return run(&daemon);
}
