/* SPDX-License-Identifier: ISC */
/* irc_client HOST PORT NICK PASSWORD: an ordinary client on libircclient. What happens is told as one JSON
 * object a line; lines of standard input are {"target": ..., "text": ...}, and its end quits. */
#include <libircclient.h>

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

static void tell(const char *event, const char *origin, const char *target, const char *text)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "event", event, "nick", origin != NULL ? origin : "",
                               "target", target != NULL ? target : "", "text", text != NULL ? text : "");
    if (object == NULL)
        object = json_pack("{s:s}", "event", "not-utf8");
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(object);
}

static void on_event(irc_session_t *session, const char *event, const char *origin, const char **params,
                     unsigned count)
{
    char nick[64] = "";
    (void)session;
    if (origin != NULL)
        irc_target_get_nick(origin, nick, sizeof nick);
    tell(event, nick, count > 0 ? params[0] : NULL, count > 1 ? params[1] : NULL);
}

static void on_number(irc_session_t *session, unsigned number, const char *origin, const char **params,
                      unsigned count)
{
    char event[16];
    (void)session;
    snprintf(event, sizeof event, "%03u", number);
    tell(event, origin, count > 1 ? params[1] : NULL, count > 0 ? params[count - 1] : NULL);
}

static void say(irc_session_t *session, const char *line)
{
    const char *target = NULL, *text = NULL;
    json_t *object = json_loads(line, 0, NULL);
    if (object != NULL && json_unpack(object, "{s:s, s:s}", "target", &target, "text", &text) == 0 &&
        irc_cmd_msg(session, target, text) != 0)
        tell("not-sent", NULL, target, irc_strerror(irc_errno(session)));
    json_decref(object);
}

static bool take_input(irc_session_t *session)
{
    static char buffer[65536];
    static size_t used;
    ssize_t size = read(STDIN_FILENO, buffer + used, sizeof buffer - 1 - used);
    if (size <= 0)
        return false;
    used += (size_t)size;
    for (char *end; (end = memchr(buffer, '\n', used)) != NULL;) {
        *end = '\0';
        say(session, buffer);
        used -= (size_t)(end + 1 - buffer);
        memmove(buffer, end + 1, used);
    }
    return used < sizeof buffer - 1;
}

static bool turn(irc_session_t *session)
{
    fd_set in, out;
    int most = STDIN_FILENO;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(STDIN_FILENO, &in);
    if (irc_add_select_descriptors(session, &in, &out, &most) != 0 ||
        select(most + 1, &in, &out, NULL, NULL) < 0)
        return false;
    bool more = !FD_ISSET(STDIN_FILENO, &in) || take_input(session);
    return irc_process_select_descriptors(session, &in, &out) == 0 && more;
}

int main(int argc, char **argv)
{
    irc_callbacks_t callbacks = {
        .event_connect = on_event,
        .event_join = on_event,
        .event_part = on_event,
        .event_topic = on_event,
        .event_channel = on_event,
        .event_privmsg = on_event,
        .event_notice = on_event,
        .event_channel_notice = on_event,
        .event_quit = on_event,
        .event_numeric = on_number,
    };
    if (argc != 5)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    irc_session_t *session = irc_create_session(&callbacks);
    if (session == NULL)
        return 1;
    if (irc_connect(session, argv[1], (unsigned short)atoi(argv[2]), argv[4], argv[3], argv[3],
                    "libircclient") == 0) {
        while (irc_is_connected(session) && turn(session))
            continue;
        irc_cmd_quit(session, "done");
    }
    tell("end", NULL, NULL, irc_strerror(irc_errno(session)));
    irc_destroy_session(session);
    return 0;
}
