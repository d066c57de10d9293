/* SPDX-License-Identifier: ISC */
#include "base/listener.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/address.h"
#include "test_stream_ends.h"

struct door {
    struct listener *listener;
    int fds[16];
    struct sockaddr_storage peers[16];
    size_t count;
};

static void enter(void *arg, int fd, const struct sockaddr_storage *peer)
{
    struct door *door = arg;
    assert_true(door->count < 16);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    door->peers[door->count] = *peer;
    door->fds[door->count++] = fd;
}

static void leave(struct door *door)
{
    door->count--;
    close(door->fds[door->count]);
    listener_release(door->listener, &door->peers[door->count]);
}

static void door_close(struct scene *scene, struct door *door)
{
    while (door->count > 0)
        leave(door);
    listener_close(door->listener);
    scene_close(scene);
}

static void door_open(struct scene *scene, struct door *door, const char *text, unsigned per_address,
                      unsigned total)
{
    struct sockaddr_storage address;
    struct listener_options options = {per_address, total};
    scene_open(scene, 0);
    *door = (struct door){0};
    assert_true(address_parse(&address, text, 0, NULL));
    door->listener = listener_open(&scene->loop, (struct sockaddr *)&address, &options, enter, door, NULL);
    assert_non_null(door->listener);
    assert_true(address_port((const struct sockaddr *)listener_address(door->listener)) > 0);
}

/* A client, bound to `from` when not NULL. */
static int knock(struct door *door, const char *from)
{
    const struct sockaddr *to = (const struct sockaddr *)listener_address(door->listener);
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (from != NULL) {
        struct sockaddr_storage address;
        assert_true(address_parse(&address, from, 0, NULL));
        assert_int_equal(bind(fd, (struct sockaddr *)&address, address_size((struct sockaddr *)&address)), 0);
    }
    assert_int_equal(connect(fd, to, address_size(to)), 0);
    return fd;
}

static void turn(struct scene *scene)
{
    for (unsigned i = 0; i < 4; i++)
        uv_run(&scene->loop, UV_RUN_NOWAIT);
}

static bool was_refused(int fd)
{
    char byte = 0;
    return recv(fd, &byte, 1, 0) <= 0;
}

static void one_address_has_its_limit(void **state)
{
    (void)state;
    struct scene scene;
    struct door door;
    door_open(&scene, &door, "127.0.0.1:0", 2, 0);
    int a = knock(&door, NULL), b = knock(&door, NULL);
    turn(&scene);
    assert_int_equal(door.count, 2);
    int c = knock(&door, NULL), other = knock(&door, "127.0.0.9:0");
    turn(&scene);
    assert_int_equal(door.count, 3);
    assert_true(was_refused(c));
    close(c);
    leave(&door);
    leave(&door);
    c = knock(&door, NULL);
    turn(&scene);
    assert_int_equal(door.count, 2);
    close(a);
    close(b);
    close(c);
    close(other);
    door_close(&scene, &door);
}

static void all_together_have_a_limit(void **state)
{
    (void)state;
    struct scene scene;
    struct door door;
    door_open(&scene, &door, "[::1]:0", 0, 1);
    int a = knock(&door, NULL), b = knock(&door, NULL);
    turn(&scene);
    assert_int_equal(door.count, 1);
    assert_true(was_refused(b));
    close(a);
    close(b);
    door_close(&scene, &door);
}

static void a_used_port_is_named(void **state)
{
    (void)state;
    struct scene scene;
    struct door door;
    struct error *error = NULL;
    struct listener_options options = {0};
    door_open(&scene, &door, "127.0.0.1:0", 0, 0);
    const struct sockaddr *address = (const struct sockaddr *)listener_address(door.listener);
    assert_null(listener_open(&scene.loop, address, &options, enter, &door, &error));
    assert_int_equal(error->code, ERROR_EXISTS);
    assert_non_null(strstr(error->text, "cannot listen on 127.0.0.1:"));
    error_free(error);
    door_close(&scene, &door);
}

static void without_descriptors_it_waits_and_goes_on(void **state)
{
    (void)state;
    struct scene scene;
    struct door door;
    struct rlimit old, tight;
    door_open(&scene, &door, "127.0.0.1:0", 0, 0);
    int client = knock(&door, NULL);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    tight.rlim_cur = (rlim_t)client + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    turn(&scene);
    assert_int_equal(door.count, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    RUN_UNTIL(&scene, door.count == 1);
    close(client);
    door_close(&scene, &door);
}

static void it_lives_until_its_connections_are_released(void **state)
{
    (void)state;
    struct scene scene;
    struct door door;
    door_open(&scene, &door, "127.0.0.1:0", 3, 3);
    int client = knock(&door, NULL);
    turn(&scene);
    listener_close(door.listener);
    turn(&scene);
    leave(&door);
    close(client);
    scene_close(&scene);
}

static void a_unix_socket_replaces_only_a_stale_one(void **state)
{
    (void)state;
    struct scene scene;
    struct door door = {0};
    struct error *error = NULL;
    struct listener_options options = {0};
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct stat status;
    char *folder = scene_folder();
    scene_open(&scene, 0);
    snprintf(name.sun_path, sizeof name.sun_path, "%s/s", folder);

    int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(stale, (struct sockaddr *)&name, sizeof name), 0);
    close(stale);
    door.listener = listener_open_unix(&scene.loop, name.sun_path, 0660, &options, enter, &door, &error);
    assert_non_null(door.listener);
    assert_int_equal(stat(name.sun_path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0660);

    assert_null(listener_open_unix(&scene.loop, name.sun_path, 0600, &options, enter, &door, &error));
    assert_int_equal(error->code, ERROR_EXISTS);
    error_free(error);
    error = NULL;

    listener_close(door.listener);
    assert_int_not_equal(stat(name.sun_path, &status), 0);

    FILE *file = fopen(name.sun_path, "w");
    fclose(file);
    assert_null(listener_open_unix(&scene.loop, name.sun_path, 0600, &options, enter, &door, &error));
    assert_non_null(strstr(error->text, "is not a socket"));
    error_free(error);
    error = NULL;
    unlink(name.sun_path);
    rmdir(folder);

    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_null(listener_open_unix(&scene.loop, longer, 0600, &options, enter, &door, &error));
    assert_int_equal(error->code, ERROR_INVALID);
    error_free(error);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_address_has_its_limit),
        cmocka_unit_test(all_together_have_a_limit),
        cmocka_unit_test(a_used_port_is_named),
        cmocka_unit_test(without_descriptors_it_waits_and_goes_on),
        cmocka_unit_test(it_lives_until_its_connections_are_released),
        cmocka_unit_test(a_unix_socket_replaces_only_a_stale_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
