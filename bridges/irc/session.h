/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_IRC_SESSION_H
#define RETROGATE_IRC_SESSION_H

#include "client.h"
#include "text.h"

/* The inside of a client, shared by the files of this room and by nobody else. */
enum {
    CLIENT_MAGIC = 0x49524343,
    NICK_SIZE = 31,
    USER_SIZE = 33,
    NAME_SIZE = 129, /* realname, and the shown name of a contact */
    HANDLE_SIZE = 25,
    TARGET_SIZE = 64,
    LABEL_SIZE = 65,
    REASON_SIZE = 200,
    TOPIC_SIZE = 391,
    AWAY_SIZE = 201,
    MONITOR_LIMIT = 100,
    REQUEST_LIMIT = 64,  /* commands at the gateway at a time; beyond it input waits */
    FLOOD_COST_MS = 100, /* one command in the long run ... */
    FLOOD_BURST_MS =
        6000, /* ... and sixty at once, for what clients ask when they have joined their channels */
    LOGIN_TRIES = 3,
    PROBES = 24,         /* while input is held, in the time of silence before PING */
    SEEN_MS = 5000,      /* the cursor is kept at most this often */
    PATIENCE_MS = 30000, /* before a contact that cannot be reached leaves its channel */
};

#define CONTROL_NICK    "gateway"
#define CONTROL_CHANNEL "&gateway"
#define CONTACT_HOST    "distant"

enum phase {
    PHASE_REGISTERING,
    PHASE_LOADING, /* logged in; contacts, conversations and the cursor are being read */
    PHASE_LOADED,  /* waits for a nick that is free, or for CAP END */
    PHASE_UP,
    PHASE_ENDING,
};

enum need { NEED_NICK = 1, NEED_USER = 2, NEED_CAP_END = 4 };

/* Capabilities, in the order of capability.c's table. */
enum capability {
    CAP_ACCOUNT_TAG,
    CAP_AWAY_NOTIFY,
    CAP_BATCH,
    CAP_CAP_NOTIFY,
    CAP_CHATHISTORY,
    CAP_READ_MARKER,
    CAP_ECHO_MESSAGE,
    CAP_EXTENDED_JOIN,
    CAP_LABELED_RESPONSE,
    CAP_MESSAGE_TAGS,
    CAP_MULTI_PREFIX,
    CAP_SASL,
    CAP_SERVER_TIME,
    CAP_SETNAME,
    CAP_STANDARD_REPLIES,
    CAP_USERHOST_IN_NAMES,
    CAP_SELF_MESSAGE,
    CAP_COUNT,
};

/* A contact, and its conversation when there is one, as this client sees it. */
struct peer {
    struct peer *prev, *next;
    int64_t contact;
    int64_t conversation; /* 0: none */
    char handle[HANDLE_SIZE];
    char name[NAME_SIZE];
    char fingerprint[41]; /* "" when unknown */
    char state[24];
    char reason[REASON_SIZE];
    char protection[16];               /* "" unknown, none, classic or sealed ... */
    char protection_text[REASON_SIZE]; /* ... and what that means */
    int64_t since;                     /* of the state, Unix milliseconds */
    int64_t last;                      /* newest line known */
    int64_t last_time;  /* of the newest line, Unix milliseconds; only for clients that ask for history */
    int64_t heard;      /* time of the last line that came in, Unix milliseconds; 0: none in this session */
    int64_t came;       /* that line, until this client has answered; 0: none */
    int64_t read;       /* everything up to this line was read, here or elsewhere */
    int64_t read_known; /* the line whose time is `read_time`; marker.c keeps these */
    int64_t read_time;  /* Unix milliseconds; 0: nothing was read */
    int64_t read_asked; /* the line whose time is being asked for; 0: none */
    bool open;
    bool joined;        /* this client is in the channel */
    bool present;       /* shown as there: can talk, or could PATIENCE_MS ago */
    bool query;         /* this client last wrote to the nick, not to the channel */
    bool told_waiting;  /* that lines wait was said since the contact was last there */
    uint64_t settle_at; /* when a change for the worse is shown; 0: nothing waits */
    uint64_t typing_at; /* when typing may be told again */
    char topic[TOPIC_SIZE];
};

/* The position in the account's log and changes (DESIGN §4). */
struct cursor {
    int64_t change;
    int64_t seq;
};

struct follow {
    int64_t epoch;
    struct cursor at;     /* everything up to here was written to the connection */
    struct cursor handed; /* everything up to here was given to the system */
    struct cursor kept;   /* what client.seen said last */
    uint64_t written;     /* client->bytes_out when `at` was reached */
    uint64_t seen_at;     /* when `handed` is kept; 0: nothing to keep */
    enum {
        FOLLOW_OFF,
        FOLLOW_IDLE,
        FOLLOW_BUSY,
        FOLLOW_WAITS
    } state;     /* WAITS: for the connection to drain */
    bool more;   /* there was news while busy */
    bool paged;  /* the changes being read need several pages: lines in them come by replay */
    bool passed; /* such lines were met */
    bool replaying;
    int64_t replay_end;          /* last seq of the replay */
    int64_t replay_conversation; /* the one being replayed; 0: none yet */
    int64_t replay_after;        /* last line of it that was shown; 0: its beginning */
};

/* Things told already: a later change of one is no news. */
enum { TOLD_MOST = 16 };
struct told {
    int64_t floor; /* what has no higher mark is old */
    struct told_one {
        int64_t mark, seq, contact;
    } ones[TOLD_MOST];
    unsigned next;
};

enum news { NEWS_CAME, NEWS_DELIVERED, NEWS_SENT, NEWS_FAILED, NEWS_KINDS };
struct posts {
    struct told arrivals;          /* marked by their seq */
    struct told fates;             /* of own ones, marked by their time */
    unsigned told_now[NEWS_KINDS]; /* in the page of changes being read */
    unsigned missed, locked;       /* came while the client was away; of these not opened yet */
};

struct request;

struct client {
    uint32_t magic;
    struct site *site;
    const struct client_io *io;
    void *io_arg;
    uint64_t id; /* for logs */
    char address[64];
    bool secure;
    enum phase phase;
    unsigned needs;
    uint32_t capabilities;
    unsigned cap_version;
    int64_t signed_on; /* Unix milliseconds */
    uint64_t started;  /* this and the next ones: monotonic milliseconds */
    uint64_t heard;
    bool pinged;
    uint64_t probed; /* when it was last written to because its input is held */
    uint64_t flood;  /* when the bucket will be full again */

    char nick[NICK_SIZE], user[USER_SIZE], real[NAME_SIZE], away[AWAY_SIZE];
    bool invisible;
    bool in_control;              /* has joined the control channel */
    char device[TARGET_SIZE];     /* "irc/" and the name behind account@; its cursor is kept under it */
    char login_name[TARGET_SIZE]; /* as USER gave it: account or account@device */
    char mark[24];      /* label of lines said here, so that they are known again among the changes */
    char *pass;         /* PASS, until log-in */
    struct buffer sasl; /* base64 so far */
    bool sasl_begun, sasl_running;
    unsigned login_tries;
    uint64_t login; /* ticket */
    struct gateway_session *session;

    struct buffer input;
    bool overlong; /* the rest of a line that is too long is passed over */
    bool held;
    bool running; /* inside client_run(): no second one */
    struct buffer scratch, captured;
    unsigned captured_count;
    char label[LABEL_SIZE]; /* of the command being run; "" when none */
    uint64_t bytes_out;
    uint64_t batches;

    struct buffer command; /* for the control channel, while its rest is awaited */
    uint64_t command_at;   /* until when; 0: none */
    bool command_in_channel;
    char verb[16];    /* a command of one word, as a client that cuts at spaces sends in front of a link */
    uint64_t verb_at; /* when it was given */

    struct request *requests;
    unsigned request_count;
    bool history_began;
    unsigned history_asked; /* questions of history_begin() that are not answered */
    struct peer *peers;
    struct follow follow;
    struct posts posts;
    char (*monitored)[NICK_SIZE];
    unsigned monitored_count;
};

/* --- client.c
 * ------------------------------------------------------------------------------------------------- */
uint64_t client_now(const struct client *client);
int64_t client_wall(const struct client *client);
bool client_has(const struct client *client, enum capability capability);
void client_schedule(struct client *client); /* asks to be woken for what comes next */
void client_resume(struct client *client);   /* goes on with input that waited for answers of the gateway */

/* --- output.c: what is said to a client
 * --------------------------------------------------------------------------- */
/* The tags of a line; zeroes are left out. Each goes only to clients with the capability it belongs to. */
struct stamp {
    int64_t time; /* Unix milliseconds; 0: now */
    int64_t seq;  /* with the epoch the msgid */
    const char *batch;
    const char *account;
    bool typing;
};

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* `words` are the parameters but the last, `format` makes the last one (NULL: there is none). Words hold no
 * spaces; control characters in the last one become spaces. */
void client_say(struct client *client, const struct stamp *stamp, const char *source, const char *verb,
                const char *const *words, const char *format, ...) __attribute__((format(printf, 6, 7)));
void client_numeric(struct client *client, unsigned number, const char *const *words, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A notice of the gateway, in the channel or query named. */
void client_notice(struct client *client, const char *target, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A standard reply (FAIL, WARN, NOTE), or a notice to clients without the capability. `context` are
 * words between code and text; NULL: none. */
void client_standard(struct client *client, const char *kind, const char *verb, const char *code,
                     const char *const *context, const char *text);

/* What is said between these is tied to the label: one line bears it, several are a batch, none is an ACK. */
void client_label_begin(struct client *client, const char *label);
void client_label_end(struct client *client);
/* Takes the label away for an answer that comes later. */
void client_label_take(struct client *client, char label[LABEL_SIZE]);

/* Sources: "nick!user@host" of the client, "handle!handle@distant" of a contact. */
enum { SOURCE_SIZE = 192 };
void client_source(const struct client *client, char out[SOURCE_SIZE]);
void peer_source(const struct peer *peer, char out[SOURCE_SIZE]);
void control_source(const struct client *client, char out[SOURCE_SIZE]);

/* --- request.c: commands to the gateway
 * --------------------------------------------------------------------------- */
struct answer {
    json_t *result;            /* borrowed; NULL when refused */
    const struct error *error; /* why */
    const char *target;        /* as given with the request */
    const char *text;
    int64_t number;
    const void *data;
};
typedef void answer_fn(struct client *client, const struct answer *answer);

struct question {
    answer_fn *answered;
    const char *target; /* these are copied for the answer; NULL is allowed */
    const char *text;
    int64_t number;
    const void *data; /* as many bytes as data_size says, without pointers */
    size_t data_size;
    bool takes_label; /* the label of the running command waits for this answer */
};
/* `command` is taken over. The answer comes later, or before this returns when the gateway refuses at once;
 * never after the client has ended. */
void client_ask(struct client *client, json_t *command, const struct question *question);
/* False when the gateway refused, which ends the client with the reason: nothing can be shown without it. */
bool answer_came(struct client *client, const struct answer *answer);
/* Of what the gateway tells: 0 and "" when there is no such member. */
int64_t member_integer(const json_t *object, const char *member);
const char *member_text(const json_t *object, const char *member);
void client_forget_all(struct client *client);

/* --- registration.c
 * --------------------------------------------------------------------------------------------- */
void registration_step(struct client *client); /* after any change of what registration waits for */
void registration_close(struct client *client);
/* --- welcome.c */
void welcome(struct client *client);

/* --- peer.c: the view of contacts and conversations
 * ------------------------------------------------------------- */
struct peer *peer_by_handle(struct client *client, const char *handle);
struct peer *peer_by_conversation(struct client *client, int64_t conversation);
struct peer *peer_by_contact(struct client *client, int64_t contact);
bool peer_can_talk(const struct peer *peer);
void peer_channel(const struct peer *peer, char out[TARGET_SIZE]);
void peer_add_contact(struct client *client, const json_t *contact);
void peer_add_conversation(struct client *client, const json_t *conversation);
void peer_gone(struct client *client, const json_t *gone);
void peer_join(struct client *client, struct peer *peer); /* shows the channel */
void peer_part(struct client *client, struct peer *peer, const char *reason);
void peer_settle(struct client *client);         /* shows what has waited long enough */
uint64_t peer_next(const struct client *client); /* when peer_settle() is next due; UINT64_MAX: never */
int64_t peer_last(const struct client *client);  /* the newest line of all conversations */
void peer_free_all(struct client *client);
void peer_leave_nick(struct client *client); /* a contact took the client's nick as its handle */
void peer_names(struct client *client, const struct peer *peer); /* 353 and 366; NULL: the control channel */
void control_join(struct client *client);
void peer_join_all(struct client *client); /* the control channel and the open conversations */
void channel_join(struct client *client, const char *channel); /* the JOIN line of the client itself */
void channel_part(struct client *client, const char *channel, const char *reason);

/* Whom a name means. */
enum target_kind { TARGET_NONE, TARGET_SELF, TARGET_CONTROL, TARGET_PEER };
struct target {
    enum target_kind kind;
    bool channel;
    struct peer *peer;
};
struct target target_of(struct client *client, const char *name);

/* --- follow.c: the cursor, replay and changes
 * ------------------------------------------------------------------- */
void follow_begin(struct client *client); /* the view has just been read */
void follow_more(struct client *client);
void follow_drained(struct client *client);
/* The connection takes more than what has to be said at once. */
bool follow_has_room(const struct client *client);
void follow_tick(struct client *client);
uint64_t follow_next(const struct client *client);
void follow_said(struct client *client, int64_t seq); /* a line said here was acknowledged with this number */
void follow_handed(struct client *client);            /* looks what has been given to the system by now */
void follow_keep(struct client *client);              /* tells the gateway how far that is */

/* --- posts.c: notices of posts
 * --------------------------------------------------------------------------------------------- */
json_t *posts_question(void); /* what is asked before the client is up, when its cursor is known, */
void posts_begin(struct client *client, const json_t *list); /* what was answered; NULL: nothing */
void posts_summary(struct client *client);
void posts_take(struct client *client, const json_t *post); /* one that is new or has changed */
void posts_page_end(struct client *client);                 /* of the changes that hold them */
void posts_restart(struct client *client, int64_t seq);     /* a new epoch, in which this is the newest */

/* --- talk.c: lines of people
 * ------------------------------------------------------------------------------------ */
void talk_show(struct client *client, struct peer *peer, const json_t *line, const char *batch);
/* One that was asked for, in the channel or the query that was named. */
void talk_show_old(struct client *client, const struct target *target, const json_t *line, const char *batch);
void talk_show_delivery(struct client *client, struct peer *peer, const json_t *line);
void talk_hint(struct client *client, json_t *hint);
void talk_target(const struct peer *peer,
                 char out[TARGET_SIZE]); /* the channel or nick in which it is shown */

/* How a text is put into IRC lines. */
struct utterance {
    const char *source, *verb, *target;
    struct stamp stamp;
    const char *prefix;
};
void talk_say(struct client *client, struct utterance *utterance, const char *text);
/* What the client itself said, given back to it when it asked for that (echo-message). */
void talk_echo(struct client *client, const struct answer *answer, const struct stamp *stamp);

/* --- marker.c: read positions
 * ------------------------------------------------------------------------------------ */
void marker_join(struct client *client, const char *channel, const struct peer *peer); /* behind JOIN */
void marker_update(struct client *client, struct peer *peer); /* its position may have moved */
/* Likewise all; true when every position can be told as a time. Otherwise registration_step() follows. */
bool marker_update_all(struct client *client);

/* --- history.c: lines that are asked for
 * --------------------------------------------------------------------------------- */
enum { HISTORY_LIMIT = 100 };
/* Asks for what must be known before a client may ask; true when it is. Otherwise registration_step()
 * follows. */
bool history_begin(struct client *client);
void history_line(struct peer *peer, const json_t *line); /* a line was seen */

/* --- control.c: the control channel
 * ------------------------------------------------------------------------------- */
void control_said(struct client *client, const struct message *message);
void control_tick(struct client *client);

/* --- monitor.c
 * ---------------------------------------------------------------------------------------------------- */
void monitor_tell(struct client *client, const struct peer *peer); /* its presence has changed */

/* --- commands.c
 * --------------------------------------------------------------------------------------------------- */
/* One command of the protocol. `check` answers what is wrong and returns false; `act` runs only what passed.
 */
struct command {
    const char *name;
    enum { ANY_TIME, BEFORE_UP, WHEN_UP } needs;
    unsigned params; /* at least; 461 otherwise */
    bool (*check)(struct client *client, const struct message *message);
    void (*act)(struct client *client, const struct message *message);
};
void command_run(struct client *client, const struct message *message);
/* Calls `each` for every name of a comma-separated list. */
void each_name(struct client *client, const struct message *message, const char *list,
               void (*each)(struct client *client, const struct message *message, const char *name));

/* The rows' functions, by file. */
typedef bool check_fn(struct client *, const struct message *);
typedef void act_fn(struct client *, const struct message *);
act_fn act_cap;                                        /* capability.c */
act_fn act_pass, act_nick, act_user, act_authenticate; /* registration.c */
act_fn act_motd, act_version, act_lusers;              /* welcome.c */
act_fn act_privmsg, act_tagmsg;                        /* talk.c */
check_fn check_message;
act_fn act_join, act_part, act_topic, act_names, act_list, act_mode; /* channel.c */
check_fn check_on_channel, check_topic, check_operator;
act_fn act_who, act_whois, act_whowas, act_ison, act_userhost; /* who.c */
act_fn act_monitor;                                            /* monitor.c */
act_fn act_markread;                                           /* marker.c */
act_fn act_chathistory;                                        /* history.c */

#endif
